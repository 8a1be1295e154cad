"""The course as a whole: the lessons that there are, and a student's own copies of them."""
