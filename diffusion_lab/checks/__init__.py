"""Checks of the exercises: one module per exercise, named as its notebook without the number.

A check knows what goes wrong in practice: it names the mistake, says what was wanted and where to read about
it.
"""
