#!/usr/bin/env python3
"""The same flows in `supernode flows` and in SimGrid: staggered, dependent and capped ones, on the platforms of the all-to-all.

    compare_flows.py SUPERNODE_BINARY SIMGRID_FLOWS_BINARY [FLOWS]

Build the second with `g++ -O2 -std=c++17 flows.cpp -o build/flows -lsimgrid` (SimGrid 3.32 of Debian serves as well as 4.1: only its answers
count here). Prints the largest relative difference of any end.
"""
import csv
import json
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KINDS = ["at once", "staggered", "dependent", "capped", "all of it"]


def rows(kind, chips, flows, seed):
    """Flows between random chips; a flow waits only for earlier ones."""
    dice = random.Random(seed)
    out = []
    for number in range(flows):
        source = dice.randrange(chips)
        to = (source + 1 + dice.randrange(chips - 1)) % chips
        start = round(dice.uniform(0, 200e-6), 9) if kind in ("staggered", "all of it") else ""
        after = ""
        if kind in ("dependent", "all of it") and number and dice.random() < 0.6:
            after = " ".join(str(other) for other in sorted(dice.sample(range(number), min(number, dice.randrange(1, 4)))))
        cap = dice.choice([5e9, 20e9, 60e9, ""]) if kind in ("capped", "all of it") else ""
        out.append([source, to, dice.randrange(1 << 16, 1 << 23), start, after, cap])
    return out


def main():
    ours, peer = sys.argv[1:3]
    flows = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    worst = 0.0
    print("| fabric | chips | flows | kind | largest relative difference of an end |\n| --- | --- | --- | --- | --- |")
    for fabric in ["crossbar", "clos"]:
        for chips in [16, 64]:
            for seed, kind in enumerate(KINDS):
                with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
                    table = csv.writer(file, lineterminator="\n")
                    table.writerow(["src", "dst", "bytes", "start_s", "after", "cap"])
                    table.writerows(rows(kind, chips, flows, seed))
                    file.flush()
                    machine = str(HERE / "flows" / f"{fabric}-{chips}.toml")
                    own = json.loads(subprocess.run([ours, "flows", machine, file.name, "--format", "json"], check=True, capture_output=True).stdout)
                    other = subprocess.run([peer, fabric, str(chips), file.name], check=True, capture_output=True, text=True).stdout
                ends = [float(row["end_s"]) for row in csv.DictReader(other.splitlines())]
                difference = max(abs(flow["end_s"] - end) / end for flow, end in zip(own["flows"], ends, strict=True))
                worst = max(worst, difference)
                print(f"| {fabric} | {chips} | {flows} | {kind} | {difference:.1e} |", flush=True)
    sys.exit(f"{worst:.1e} is more than 1e-9" if worst > 1e-9 else 0)


if __name__ == "__main__":
    main()
