"""Measures what wide arithmetic saves: run_wide.py TENON wide.wat

Multiplies numbers of 4096 bits in the three ways of wide.wat, in turns, several rounds. Prints a
Markdown table: the median time of a product, and how many times as long as with wide arithmetic.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("ROUNDS", "5"))
PRODUCTS = 50000
WAYS = {
    "wide": "64-bit limbs, wide arithmetic",
    "halves": "64-bit limbs, products of halves",
    "small": "32-bit limbs",
}


def run(tenon: str, module: str, way: str, products: int) -> tuple[float, str]:
    start = time.perf_counter()
    command = [tenon, "run", "--invoke", way, module, str(products)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, result.stdout


def main(tenon: str, module: str) -> None:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        results = set()
        for way, measured in times.items():
            start_up = run(tenon, module, way, 1)[0]
            seconds, result = run(tenon, module, way, PRODUCTS)
            measured.append((seconds - start_up) / (PRODUCTS - 1))
            results.add(result)
        if len(results) != 1:
            sys.exit(f"the products differ: {results}")
    print("| multiplication of two numbers of 4096 bits | time | |\n|---|---|---|")
    medians = {way: statistics.median(measured) for way, measured in times.items()}
    for way, seconds in medians.items():
        print(f"| {WAYS[way]} | {seconds * 1e6:.2f} µs | {seconds / medians['wide']:.2f}× |")


main(*sys.argv[1:])
