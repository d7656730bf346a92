"""Other semantic models to SML, and our aggregates to other routers. Pure: texts in, texts out; the folders in between.

Nothing that would give another number is carried over without a word: each construct is carried over, carried over
with a difference that is told, or left out with its reason.
"""
