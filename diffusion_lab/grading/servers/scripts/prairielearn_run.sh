#!/usr/bin/env bash
# PrairieLearn runs this for every submission, as /grade/serverFilesCourse/diffusion_lab_…/run.sh. It always leaves
# results behind.
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
results="$root/results/results.json"
mkdir -p "$root/results"
rm -f "$results"
PYTHONPATH="$here/course" timeout --kill-after=10 570 \
    "${DIFFUSION_LAB_PYTHON:-python3}" -m diffusion_lab.grading.autograder \
    prairielearn --root "$root" --bundle "$here"
[ -s "$results" ] || cp "$here/failed.json" "$results"
exit 0
