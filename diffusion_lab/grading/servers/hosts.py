"""The servers that run a grader of ours."""

from diffusion_lab.grading.servers import classroom50, gradescope, prairielearn

HOSTS = {host.name: host for host in (gradescope.HOST, classroom50.HOST, prairielearn.HOST)}
"""By name."""
