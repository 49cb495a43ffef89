"""Compares the code that engines make with that of gcc and clang: run_kernels.py NATIVE MODULES NAME=LIBRARY…

NATIVE is the folder of the driver and of the kernels as gcc.so and clang.so, MODULES that of the
kernels as WebAssembly. Libraries implement wasm.h. All take turns, several rounds, each kernel in a
process of its own; the least processor time counts. Prints Markdown: how many times longer than the
faster of gcc's and clang's code each library's takes, and the geometric means.
"""

import math
import os
import subprocess
import sys

SCALAR = """fib matmul sha256 quicksort nbody fannkuch mandel sieve strhash interp memops icall crc32
axpy lz modpow life queens base64 trees fconv mixed""".split()
VECTOR = "axpy matmul life sieve vmandel vcase".split()
NATIVE = ("gcc", "clang")
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def measure(command: list[str]) -> tuple[float, str]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken, checksum = done.stdout.split()
    return float(taken), checksum


def table(title: str, module: str, kernels: list[str], native: str, libraries: dict[str, str]) -> None:
    driver = os.path.join(native, "driver")
    print(f"\n| {title} | gcc ms | clang ms | " + " | ".join(libraries) + " |")
    print("|---" * (3 + len(libraries)) + "|")
    ratios = {name: [] for name in libraries}
    for kernel in kernels:
        commands = {name: [driver, os.path.join(native, f"{name}.so"), kernel] for name in NATIVE}
        for name, library in libraries.items():
            commands[name] = [driver, library, kernel, module]
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
        print(f"| {kernel} | " + " | ".join(cells) + " |", flush=True)
    means = [f"{math.prod(r) ** (1 / len(r)):.3f}" for r in ratios.values()]
    print("| geometric mean | | | " + " | ".join(means) + " |", flush=True)


def main() -> None:
    native, modules, *named = sys.argv[1:]
    libraries = dict(pair.split("=", 1) for pair in named)
    chosen = os.environ.get("KERNELS", "").replace(",", " ").split()
    for title, module, kernels in (("scalar", "scalar", SCALAR), ("vectors", "vector", VECTOR)):
        kernels = [kernel for kernel in kernels if not chosen or kernel in chosen]
        if kernels:
            table(title, os.path.join(modules, f"{module}.wasm"), kernels, native, libraries)


main()
