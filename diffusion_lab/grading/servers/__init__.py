"""Servers that a class lives on, one module each: what they read, and what they run."""
