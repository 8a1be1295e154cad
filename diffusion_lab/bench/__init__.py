"""What stands beside an answer while it is tried: the harnesses of the exercises, and what calls them and keeps notes.

Nothing here knows a right answer, a mistake or a nonce. The checks use it in the student's own notebook; a grader puts
it, and none of the checks, into the box in which answers run. There a plan says which calls to make, and a record says
what came of them.
"""
