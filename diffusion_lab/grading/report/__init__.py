"""What an instructor and a student get to see of the grades: tables and pages.

All of it is made from rows, statuses and the catalogue of mistakes; logs, and what a notebook printed, never
get here. Text that comes from a student is escaped in pages, and cannot become a formula in a table.
"""

from diffusion_lab.grading.report.feedback import feedback_text
from diffusion_lab.grading.report.gradebook import write
from diffusion_lab.grading.report.manual import Manual
from diffusion_lab.grading.rows import STATUSES, TASKS, Row, TaskGrade

__all__ = ["STATUSES", "TASKS", "Manual", "Row", "TaskGrade", "feedback_text", "write"]
