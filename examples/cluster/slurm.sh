#!/bin/bash
# An array of 64 jobs on a shared file system, each of which paints its part:
#   find "$PWD/photos" -name '*.jpg' > list.txt
#   sbatch slurm.sh
# Submit it again after a time limit or a dead node: what is painted stays. A job ends with status 1 if one of
# its pictures could not be painted; which, and why, is in painted/manifest.*.jsonl.
#SBATCH --job-name=paint
#SBATCH --array=1-64
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue

srun semantic-guidance paint @list.txt --out painted \
    --workers "$SLURM_CPUS_PER_TASK" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
