"""Measures what exceptions cost beside Wasmtime: run_throw.py TENON MODULE

Throws and catches in the ways of throw.wat, in turns, several rounds. Prints a Markdown table: the
median time of one turn of the loop.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("ROUNDS", "3"))
WAYS = {
    "none": ("a call that returns, without `try_table`", 100_000_000),
    "return": ("a call that returns, in a `try_table`", 100_000_000),
    "throw": ("a throw one call below the `catch`", 1_000_000),
    "ref": ("the same, caught by `catch_ref`", 1_000_000),
    "deep": ("a throw eleven calls below the `catch`", 1_000_000),
}

PEER = """
import sys, wasmtime
config = wasmtime.Config()
config.wasm_exceptions = config.wasm_gc = config.wasm_function_references = True
engine = wasmtime.Engine(config)
module = wasmtime.Module(engine, open(sys.argv[1]).read())
store = wasmtime.Store(engine)
run = wasmtime.Instance(store, module, []).exports(store)[sys.argv[2]]
print(run(store, int(sys.argv[3])))
"""


def turn(command: list[str], count: int) -> tuple[float, str]:
    """The time of one of so many turns, start-up deducted, and what was returned."""

    def run(turns: int) -> tuple[float, str]:
        start = time.perf_counter()
        done = subprocess.run([*command, str(turns)], check=True, capture_output=True, text=True)
        return time.perf_counter() - start, done.stdout.strip()

    start_up = run(1)[0]
    seconds, result = run(count)
    return (seconds - start_up) / (count - 1), result


def main(tenon: str, module: str) -> None:
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for way, (_, count) in WAYS.items():
            results = set()
            ours = [tenon, "run", "--invoke", way, module]
            peer = [sys.executable, "-c", PEER, module, way]
            for name, command in {"Tenon": ours, "Wasmtime": peer}.items():
                seconds, result = turn(command, count)
                times.setdefault((way, name), []).append(seconds)
                results.add(result)
            if len(results) != 1:
                sys.exit(f"the sums differ: {results}")
    print("| one turn of a loop with | Tenon | Wasmtime |\n|---|---|---|")
    for way, (title, _) in WAYS.items():
        ours, peer = (statistics.median(times[way, name]) * 1e9 for name in ("Tenon", "Wasmtime"))
        print(f"| {title} | {ours:.1f} ns | {peer:.1f} ns |")


main(*sys.argv[1:])
