"""Measures the heap beside Wasmtime: run_heap.py TENON MODULE

Runs the functions of heap.wat in turns, several rounds. Prints a Markdown table: the median of the
time for an object, the median of the longest pause, and the most memory that the process had.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("ROUNDS", "3"))
COUNTS = {
    "window": int(os.environ.get("OBJECTS", "100000000")),
    "list": 1_000_000,
    "cycles": 100_000_000,
}

PEER = """
import sys, time, wasmtime
config = wasmtime.Config()
config.wasm_gc = True
config.wasm_function_references = True
engine = wasmtime.Engine(config)
module = wasmtime.Module(engine, open(sys.argv[1]).read())
store = wasmtime.Store(engine)
store.set_wasi(wasmtime.WasiConfig())
linker = wasmtime.Linker(engine)
linker.define_wasi()
run = linker.instantiate(store, module).exports(store)[sys.argv[2]]
start = time.perf_counter()
pause = run(store, int(sys.argv[3]))
print(time.perf_counter() - start, pause)
"""


def peak(usage: "os.struct_rusage") -> float:
    return usage.ru_maxrss / 1024


def run(command: list[str]) -> tuple[str, float, float]:
    """What a process prints, its time in seconds, and its peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = process.stdout.read()
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(error.strip().splitlines()[-1])
    return out, seconds, peak(usage)


def tenon(program: str, module: str, name: str, count: int) -> tuple[float, float, float]:
    idle = run([program, "run", "--no-cache", "--invoke", name, module, "1"])[1]
    command = [program, "run", "--no-cache", "--invoke", name, module, str(count)]
    out, seconds, memory = run(command)
    return seconds - idle, int(out), memory


def peer(module: str, name: str, count: int) -> tuple[float, float, float]:
    out, _, memory = run([sys.executable, "-c", PEER, module, name, str(count)])
    seconds, pause = out.split()
    return float(seconds), int(pause), memory


def main(program: str, module: str) -> None:
    print("| function | objects | engine | an object | longest pause | peak memory |")
    print("|---|---|---|---|---|---|")
    for name, count in COUNTS.items():
        engines = {
            "tenon": lambda: tenon(program, module, name, count),
            "wasmtime": lambda: peer(module, name, count),
        }
        found: dict[str, list[tuple[float, float, float]]] = {engine: [] for engine in engines}
        failed: dict[str, str] = {}
        for _ in range(ROUNDS):
            for engine, measure in engines.items():
                try:
                    found[engine].append(measure())
                except RuntimeError as error:
                    failed[engine] = str(error)
        for engine, measured in found.items():
            if engine in failed:
                print(f"| {name} | {count:,} | {engine} | fails: {failed[engine]} | – | – |")
                continue
            seconds, pause, memory = (statistics.median(column) for column in zip(*measured))
            print(
                f"| {name} | {count:,} | {engine} | {seconds / count * 1e9:.1f} ns "
                f"| {pause / 1e6:.2f} ms | {memory:.0f} MiB |"
            )


main(*sys.argv[1:])
