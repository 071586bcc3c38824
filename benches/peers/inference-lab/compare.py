#!/usr/bin/env python3
"""The same job in `supernode serve` and in inference-lab 1.0.0, side by side: processor time, memory, and what both say of users' waits.

Job: Poisson arrivals, 20 a second, log-normal lengths (about 220 tokens in, 195 out), Llama 3.1 8B on one H100, vLLM's rules (8 192 tokens and
256 sequences in a pass, blocks of 16). Each program draws its requests itself from the same distributions; both prices of a pass are their own.
Runs alternate; the smallest processor time of three is printed.

usage: compare.py SUPERNODE INFERENCE_LAB [REQUESTS ...]
"""
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

RATE, MEAN_IN, MEAN_OUT, SPREAD = 20.0, 220.0, 195.0, 0.6
CONFIG = """model = "llama-3.1-8b-instruct"

[scheduler]
max_num_batched_tokens = 8192
max_num_seqs = 256
policy = "fcfs"
enable_chunked_prefill = true
block_size = 16

[hardware.h100]
tp = 1
"""


def of_normal(mean):
    """Mean of the logarithm of a log-normal number with this mean."""
    return math.log(mean) - SPREAD**2 / 2


def workload(requests):
    return f"""arrival_pattern = "poisson"
arrival_rate = {RATE}
num_requests = {requests}
seed = 1

[input_len_dist]
type = "lognormal"
mean = {of_normal(MEAN_IN)}
std_dev = {SPREAD}

[output_len_dist]
type = "lognormal"
mean = {of_normal(MEAN_OUT)}
std_dev = {SPREAD}
"""


def trace(requests):
    draw, at, rows = random.Random(1), 0.0, ["arrival_s,input_tokens,output_tokens"]
    for _ in range(requests):
        at += draw.expovariate(RATE)
        length = lambda mean: max(1, round(draw.lognormvariate(of_normal(mean), SPREAD)))
        rows.append(f"{at:.6f},{length(MEAN_IN)},{length(MEAN_OUT)}")
    return "\n".join(rows) + "\n"


def run(command):
    """Processor seconds, peak megabytes, standard output."""
    with tempfile.TemporaryFile() as out:
        pid = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL).pid
        _, status, usage = os.wait4(pid, 0)
        if status != 0:
            sys.exit(f"{' '.join(map(str, command))}: ended with {status}")
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    ours, theirs = sys.argv[1:3]
    folder = Path(tempfile.mkdtemp())
    (folder / "config.toml").write_text(CONFIG)
    print("| requests | ours | inference-lab | times faster | memory, ours | memory, theirs |")
    print("| --: | --: | --: | --: | --: | --: |")
    for requests in [int(text) for text in sys.argv[3:]] or [10_000, 100_000]:
        (folder / "w.toml").write_text(workload(requests))
        (folder / "t.csv").write_text(trace(requests))
        own = [ours, "serve", "hgx-h100", "--workload", "llama-3.1-8b-bf16", "--engine", "vllm", "--mapping", "tp=1", "--instances", "1",
               "--sequences", "256", "--trace", folder / "t.csv", "--format", "json"]
        peer = [theirs, "--config", folder / "config.toml", "--hardware", "h100", "--workload", folder / "w.toml"]
        runs = [(run(own), run(peer)) for _ in range(3)]
        mine, other = (min((pair[side] for pair in runs), key=lambda found: found[0]) for side in (0, 1))
        print(f"| {requests:,} | {mine[0]:.3f} s | {other[0]:.3f} s | {other[0] / mine[0]:.1f} | {mine[1]:.0f} MB | {other[1]:.0f} MB |")
        found = json.loads(mine[2])
        print(f"ours: TTFT p50 {found['ttft_s']['p50'] * 1e3:.1f} ms, TPOT p50 {found['tpot_s']['p50'] * 1e3:.2f} ms", file=sys.stderr)
        print("\n".join(line for line in other[2].splitlines() if "TTFT" in line.upper() or "TPOT" in line.upper() or "token" in line.lower())[:1500], file=sys.stderr)


if __name__ == "__main__":
    main()
