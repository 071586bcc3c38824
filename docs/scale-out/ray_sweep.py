"""Shards of a sweep as Ray tasks, one core each, in a folder that all nodes see; then the table. ray_sweep.py STUDY OUT SHARDS"""

import subprocess
import sys

import ray

study, out, shards = sys.argv[1], sys.argv[2], int(sys.argv[3])


# A task that dies is run again, and goes on behind the last row that it finished.
@ray.remote(num_cpus=1, max_retries=3)
def shard(number):
    subprocess.run(["supernode", "sweep", study, "--out", out, "--shard", f"{number}/{shards}", "--threads", "1"], check=True)


ray.get([shard.remote(number) for number in range(shards)])
subprocess.run(["supernode", "sweep", study, "--out", out, "--join"], check=True)
