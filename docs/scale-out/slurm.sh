#!/usr/bin/env bash
#SBATCH --job-name=supernode-sweep
#SBATCH --requeue
# One shard of a study for each task of an array: sbatch --array=0-3 --export=ALL,SHARDS=4 slurm.sh
# A task that dies, or is requeued, goes on where it was.
set -euo pipefail
date >> "shard-$SLURM_ARRAY_TASK_ID.starts"
exec supernode sweep study.toml --out results.csv --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" --threads "${SLURM_CPUS_PER_TASK:-1}"
