"""Measurements beside other packages, one command per question; see README.md in this folder."""
