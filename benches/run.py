"""Measures libraries that implement wasm.h side by side: run.py DRIVER NAME=LIBRARY…

Runs the driver on one library after the other, several rounds, each measure in a process of its
own, so that noise of the machine hits all alike. Prints Markdown tables of medians, with the ratio
of every library to the first; with WRITE=1 also draws charts, and puts the tables into
docs/performance.md. ROUNDS= says how many rounds, MEASURES= which measures (names, with commas).
"""

import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import charts
import document

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MODULES, REAL_MODULES = "benches/modules", "target/bench/modules"

# A chart for each kind of measure: its file, its title, how names of its measures begin.
GROUPS = [
    ("calls", "Calls between C and WebAssembly", ("call",)),
    ("instances", "Stores and instances", ("store", "instance")),
    ("scale", "Many instances, two threads", ("live", "threads")),
    ("modules", "Compiling, and compiled modules", ("compile", "script", "deserialize", "artifact")),
    ("process", "What a process pays", ("cold", "resident")),
]


def run(driver: str, library: str, measure: str) -> float | None:
    """The figure of one run, if there is one."""
    command = [driver, library, measure, MODULES, REAL_MODULES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{library}: {measure}: {done.stderr.strip()}", file=sys.stderr)
        return None
    figure = float(done.stdout)
    return None if math.isnan(figure) else figure


def stripped_size(library: str) -> float:
    """Megabytes of the library without symbols."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "library"
        shutil.copy(library, copy)
        subprocess.run(["strip", copy], check=True)
        return copy.stat().st_size / 1e6


def table(rows: list[charts.Row], names: list[str]) -> str:
    first = names[0]
    header = [name if name == first else f"{name} | {name} / {first}" for name in names]
    lines = ["| measure | " + " | ".join(header) + " |", "|---" * (2 * len(names)) + "|"]
    for row in rows:
        cells = []
        ours = row.figures[first]
        for name in names:
            figure = row.figures[name]
            cells.append("–" if figure is None else f"{charts.number(figure)} {row.unit}".strip())
            if name != first:
                cells.append(charts.number(figure / ours) if figure is not None and ours else "–")
        lines.append(f"| {row.what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    driver, *named = sys.argv[1:]
    libraries = dict(pair.split("=", 1) for pair in named)
    listed = subprocess.run([driver, "-", "list"], check=True, capture_output=True, text=True)
    measures = [line.split("\t") for line in listed.stdout.splitlines()]
    chosen = os.environ.get("MEASURES")
    if chosen:
        measures = [measure for measure in measures if measure[0] in chosen.split(",")]

    sections = []
    for file, title, prefixes in GROUPS:
        rows = []
        for measure, unit, what in measures:
            if not measure.startswith(prefixes):
                continue
            figures = {name: [] for name in libraries}
            for _ in range(ROUNDS):
                for name, library in libraries.items():
                    figures[name].append(run(driver, library, measure))
            medians = {}
            for name, found in figures.items():
                found = [figure for figure in found if figure is not None]
                medians[name] = statistics.median(found) if found else None
            rows.append(charts.Row(what, unit, medians))
        if file == "process" and not chosen:
            sizes = {name: stripped_size(library) for name, library in libraries.items()}
            rows.append(charts.Row("the library, stripped", "MB", sizes))
        if not rows:
            continue
        text = f"### {title}\n\n" + table(rows, list(libraries))
        print(text, flush=True)
        sections.append(f"{text}\n![{title}](bench/{file}.svg)\n")
        if document.WRITE and not chosen:
            charts.draw(document.CHARTS / f"{file}.svg", title, rows)
    if document.WRITE and not chosen:
        document.renew("make bench", ROUNDS, "\n".join(sections))


main()
