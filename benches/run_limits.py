"""Measures what limits cost: run_limits.py TENON MODULE

Runs the functions of kernels.wat plainly, with code that looks for interrupts, and with code that
counts fuel, in turns, several rounds. Prints a Markdown table: the median of the plain time, and
the ratios of the others to it.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("ROUNDS", "5"))
KERNELS = [("fib", "35"), ("hash", "300000000"), ("sieve", "1000")]
MODES = [[], ["--interruptible"], ["--metered"]]


def seconds(tenon: str, module: str, flags: list[str], kernel: tuple[str, str]) -> float:
    name, argument = kernel
    start = time.perf_counter()
    command = [tenon, "run", "--no-cache", *flags, "--invoke", name, module, argument]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main(tenon: str, module: str) -> None:
    print("| kernel | plain | interruptible | metered |\n|---|---|---|---|")
    for kernel in KERNELS:
        times: list[list[float]] = [[] for _ in MODES]
        for _ in range(ROUNDS):
            for flags, measured in zip(MODES, times):
                measured.append(seconds(tenon, module, flags, kernel))
        plain, *others = (statistics.median(measured) for measured in times)
        ratios = "".join(f" {other / plain:.2f}× |" for other in others)
        print(f"| {kernel[0]} | {plain * 1000:.0f} ms |{ratios}")


main(*sys.argv[1:])
