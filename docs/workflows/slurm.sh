#!/bin/bash
# SLURM: grades a class in eight parts, each with two submissions at a time, and makes one gradebook of them.
#
#   jid=$(sbatch --parsable docs/workflows/slurm.sh submissions.zip)
#   sbatch --dependency=afterok:$jid --wrap "diffusion-lab grade-merge grades/part* --out grades/all"
#
# A part that was cut off goes on where it stopped when it is submitted again.
#SBATCH --job-name=grade
#SBATCH --array=1-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=10G
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=grade-%a.log

submissions=${1:?folder or zip of the submissions}
diffusion-lab grade "$submissions" --out "grades/part$SLURM_ARRAY_TASK_ID" --resume --jobs 2 \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" &
child=$!
trap 'kill -TERM $child' TERM
while kill -0 $child 2> /dev/null; do wait $child; code=$?; done
exit $code
