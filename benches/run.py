"""Measures libraries that implement wasm.h side by side: run.py DRIVER MODULES NAME=LIBRARY…

Runs the driver on one library after the other, several rounds, each measure in a process of its
own, so that noise of the machine hits all alike. Prints a Markdown table of medians, with the ratio
of every library to the first.
"""

import os
import statistics
import subprocess
import sys

ROUNDS = int(os.environ.get("ROUNDS", "5"))


def main() -> None:
    driver, modules, *named = sys.argv[1:]
    libraries = dict(pair.split("=", 1) for pair in named)
    first = next(iter(libraries))
    listed = subprocess.run([driver, "-", "list"], check=True, capture_output=True, text=True)
    measures = [line.split("\t") for line in listed.stdout.splitlines()]
    chosen = os.environ.get("MEASURES")
    if chosen:
        measures = [measure for measure in measures if measure[0] in chosen.split(",")]

    header = [name if name == first else f"{name} | {name} / {first}" for name in libraries]
    print("| measure | " + " | ".join(header) + " |")
    print("|---" * (2 * len(libraries)) + "|")
    for measure, unit, what in measures:
        figures = {name: [] for name in libraries}
        for _ in range(ROUNDS):
            for name, library in libraries.items():
                command = [driver, library, measure, modules]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode == 0:
                    figures[name].append(float(done.stdout))
                else:
                    print(f"{name}: {measure}: {done.stderr.strip()}", file=sys.stderr)
        medians = {name: statistics.median(f) if f else None for name, f in figures.items()}
        cells = []
        for name, median in medians.items():
            cells.append("–" if median is None else f"{median:.3g} {unit}")
            if name != first:
                both = median is not None and medians[first]
                cells.append(f"{median / medians[first]:.1f}" if both else "–")
        print(f"| {what} | " + " | ".join(cells) + " |", flush=True)


main()
