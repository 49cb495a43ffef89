"""Compares the code that engines make with that of gcc and clang: run_kernels.py NATIVE NAME=LIBRARY…

NATIVE is the folder of the driver and of the kernels as gcc.so and clang.so. Libraries implement
wasm.h. All take turns, ROUNDS= times, each kernel in a process of its own; the least processor time
counts. Prints Markdown: how many times longer than the faster of gcc's and clang's code each
library's takes, and the geometric means. WRITE=1 also draws charts, and puts the tables into
docs/performance.md.
"""

import math
import os
import subprocess
import sys

import charts
import document

SCALAR = """fib matmul sha256 quicksort nbody fannkuch mandel sieve strhash interp memops icall crc32
axpy lz modpow life queens base64 trees fconv mixed""".split()
VECTOR = "axpy matmul life sieve vmandel vcase".split()
NATIVE = ("gcc", "clang")
MODULES = "benches/kernels"
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def measure(command: list[str]) -> tuple[float, str]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken, checksum = done.stdout.split()
    return float(taken), checksum


def table(title: str, module: str, kernels: list[str], native: str, libraries: dict[str, str]) -> str:
    driver = os.path.join(native, "driver")
    lines = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say(f"| {title} | gcc ms | clang ms | " + " | ".join(libraries) + " |")
    say("|---" * (3 + len(libraries)) + "|")
    rows = []
    ratios = {name: [] for name in libraries}
    for kernel in kernels:
        commands = {name: [driver, os.path.join(native, f"{name}.so"), kernel] for name in NATIVE}
        for name, library in libraries.items():
            commands[name] = [driver, library, kernel, os.path.join(MODULES, f"{module}.wasm")]
        least = dict.fromkeys(commands, math.inf)
        checksums = set()
        for _ in range(ROUNDS):
            for name, command in commands.items():
                taken, checksum = measure(command)
                least[name] = min(least[name], taken)
                checksums.add(checksum)
        if len(checksums) != 1:
            sys.exit(f"{kernel}: checksums differ: {checksums}")
        best = min(least[name] for name in NATIVE)
        cells = [f"{least[name]:.2f}" for name in NATIVE]
        for name in libraries:
            ratios[name].append(least[name] / best)
            cells.append(f"{least[name] / best:.2f}")
        rows.append(charts.Row(kernel, "×", {name: r[-1] for name, r in ratios.items()}))
        say(f"| {kernel} | " + " | ".join(cells) + " |")
    means = {name: math.prod(r) ** (1 / len(r)) for name, r in ratios.items()}
    rows.append(charts.Row("geometric mean", "×", means))
    say("| geometric mean | | | " + " | ".join(f"{m:.3f}" for m in means.values()) + " |")
    if document.WRITE:
        heading = f"Kernels, {title}: times the faster of gcc -O2 and clang -O2"
        charts.draw(document.CHARTS / f"kernels-{module}.svg", heading, rows)
    return "\n".join(lines) + f"\n\n![Kernels, {title}](bench/kernels-{module}.svg)\n"


def main() -> None:
    native, *named = sys.argv[1:]
    libraries = dict(pair.split("=", 1) for pair in named)
    chosen = os.environ.get("KERNELS", "").replace(",", " ").split()
    sections = []
    for title, module, kernels in (("scalar", "scalar", SCALAR), ("vectors", "vector", VECTOR)):
        kernels = [kernel for kernel in kernels if not chosen or kernel in chosen]
        if kernels:
            sections.append(table(title, module, kernels, native, libraries))
    if document.WRITE and not chosen:
        document.renew("make bench-kernels", ROUNDS, "\n".join(sections))


main()
