"""Scripts for the people who keep the course, each run from a clone: ``python tools/NAME.py``."""
