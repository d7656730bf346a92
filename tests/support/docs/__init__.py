"""What tests of the documentation share: its pages read, their commands run, the places where they run prepared."""
