"""The instructor's side: a folder of submissions in, a gradebook out, on nbval.

Only a student's answers are taken, and put into a pristine key; see the modules for how they are found, run,
counted.
"""
