#!/usr/bin/env python3
"""The same all-to-all in our solver and in SimGrid 4.1: how far the ends differ, and which is faster.

    compare.py [--simgrid-spread-chips-max N] [CHIPS ...]

Build SimGrid first with build.sh. Times are processor time of the simulation alone, which others on the machine hardly disturb; the
smallest of three runs where a run is short.
"""
import argparse
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CRATE = HERE.parent.parent.parent
BYTES, SEED = "1048576", "1"


def run(command):
    """(end of each flow in seconds, processor seconds)"""
    best = None
    for _ in range(3):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        ends = {tuple(line.split()[1:3]): float(line.split()[3]) for line in done.stdout.splitlines() if line.startswith("end ")}
        used_s = next(float(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("processor_s "))
        best = used_s if best is None else min(best, used_s)
        if used_s > 5:
            break
    return ends, best


def difference(a, b):
    assert a.keys() == b.keys() and a
    return max(abs(a[flow] - b[flow]) / b[flow] for flow in b)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("chips", nargs="*", type=int, default=[16, 64])
    arguments.add_argument("--simgrid-spread-chips-max", type=int, default=64, help="SimGrid re-solves everything at each end")
    options = arguments.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "--example", "all_to_all"], cwd=CRATE, check=True)
    ours = str(CRATE / "target/release/examples/all_to_all")
    simgrid = str(HERE / "build/all_to_all")
    print("| fabric | chips | spread | ours | s | SimGrid 4.1 s | largest difference of an end | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for fabric in ["crossbar", "clos"]:
        for chips in options.chips:
            for spread in ["0", "0.2"]:
                problem = [fabric, str(chips), BYTES, spread, SEED]
                runs_peer = spread == "0" or chips <= options.simgrid_spread_chips_max
                peer, peer_s = run([simgrid, *problem]) if runs_peer else (None, None)
                exact, exact_s = run([ours, *problem])
                loose, loose_s = run([ours, *problem, "0.01"])
                for name, ends, used_s in [("exact", exact, exact_s), ("within 1 %", loose, loose_s)]:
                    against = f"{difference(ends, peer):.1e}" if peer else f"{difference(ends, exact):.1e} (from ours, exact)"
                    ratio = f"{peer_s / used_s:.0f}" if peer else "-"
                    print(f"| {fabric} | {chips} | {spread} | {name} | {used_s:.4g} | {f'{peer_s:.4g}' if peer else '-'} | {against} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
