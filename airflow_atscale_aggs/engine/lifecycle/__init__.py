"""Run the life cycle of aggregate tables: input and output, and the order of steps.

The rooms follow AtScale's page of this name.
"""
