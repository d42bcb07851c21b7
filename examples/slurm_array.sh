#!/bin/bash
# One run as a Slurm job array: every task makes one shard, on GPUs of its own.
#
#   job=$(sbatch --parsable --array=1-8 examples/slurm_array.sh)
#   sbatch --dependency=afterany:$job --wrap \
#       'speclrm merge results/aime-qwq.shard-*-of-8 --into results/aime-qwq'
#
# A task that was killed or preempted is submitted again under its number (--array=3,5) and goes on
# where it was: so the count of shards stands here, and is not that of the tasks that were submitted.
#
#SBATCH --job-name=speclrm
#SBATCH --gpus-per-task=2
#SBATCH --ntasks=1
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --output=%x-%A-%a.log
set -euo pipefail

SHARDS=${SHARDS:-8}
RUN=${RUN:-results/aime-qwq}
if [ $# -eq 0 ]; then
    set -- baseline --dataset aime --problem-id 60-89 --repeats 16 \
        --model Qwen/QwQ-32B --tensor-parallel-size 2 --token-budget 32768
fi

# In place of the shell, so that Slurm's signals reach it: attempts on the disk are kept.
exec speclrm run "$@" --output-dir "$RUN" --shard "$SLURM_ARRAY_TASK_ID/$SHARDS"
