"""A local page on which an instructor gives points by hand, see docs/instructors.md."""
