"""Measures what exceptions cost: run_throw.py TENON throw.wat

Throws and catches in the ways of throw.wat, in turns, several rounds. Prints a Markdown table: the
median time of one turn of the loop.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("ROUNDS", "5"))
TURNS = 1000000
WAYS = {
    "none": "a call that returns, without `try_table`",
    "return": "a call that returns, in a `try_table`",
    "throw": "a throw one call below the `catch`",
    "ref": "the same, caught by `catch_ref`",
    "deep": "a throw eleven calls below the `catch`",
}


def run(tenon: str, module: str, way: str, turns: int) -> tuple[float, str]:
    start = time.perf_counter()
    command = [tenon, "run", "--invoke", way, module, str(turns)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, result.stdout


def main(tenon: str, module: str) -> None:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        results = set()
        for way, measured in times.items():
            start_up = run(tenon, module, way, 1)[0]
            seconds, result = run(tenon, module, way, TURNS)
            measured.append((seconds - start_up) / (TURNS - 1))
            results.add(result)
        if len(results) != 1:
            sys.exit(f"the sums differ: {results}")
    print("| one turn of a loop with | time |\n|---|---|")
    for way, measured in times.items():
        print(f"| {WAYS[way]} | {statistics.median(measured) * 1e9:.1f} ns |")


main(*sys.argv[1:])
