"""What an aggregate is: stored measures, grain, definition, instance, lattice. Pure: values in, values out."""
