"""Measures WASI beside Wasmtime: run_wasi.py TENON MODULE

Runs the module, which prints a name and nanoseconds for each measure, several rounds: by Tenon's
command line, by Wasmtime's library, and in turns, so that noise of the machine hits both alike.
Prints a Markdown table of medians. The last row is how long the host takes to copy 64 KiB.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("ROUNDS", "5"))


def measured(output: str) -> dict[str, float]:
    lines = (line.split("\t") for line in output.splitlines())
    return {name: float(nanoseconds) for name, nanoseconds in lines}


def with_tenon(tenon: str, module: str, directory: str) -> dict[str, float]:
    command = [tenon, "run", "--dir", f"{directory}::/", module]
    return measured(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def with_wasmtime(module: str, directory: str) -> dict[str, float]:
    import wasmtime

    output = os.path.join(directory, "output")
    config = wasmtime.WasiConfig()
    config.preopen_dir(directory, "/")
    config.stdout_file = output
    store = wasmtime.Store()
    store.set_wasi(config)
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    instance = linker.instantiate(store, wasmtime.Module.from_file(store.engine, module))
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.ExitTrap as end:
        if end.code != 0:
            raise
    with open(output, encoding="utf-8") as file:
        return measured(file.read())


def copying() -> float:
    source, target = bytearray(64 << 10), bytearray(64 << 10)
    best = 1e9
    for _ in range(20):
        begin = time.perf_counter()
        for _ in range(1000):
            target[:] = source
        best = min(best, (time.perf_counter() - begin) / 1000)
    return best * 1e9


def main() -> None:
    tenon, module = sys.argv[1:]
    rounds = []
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(ROUNDS):
            rounds.append((with_tenon(tenon, module, directory), with_wasmtime(module, directory)))
    print("| measure | tenon | wasmtime | wasmtime / tenon |")
    print("|---|---|---|---|")
    for name in rounds[0][0]:
        ours, theirs = (statistics.median(r[i][name] for r in rounds) for i in range(2))
        print(f"| {name} | {ours:.0f} ns | {theirs:.0f} ns | {theirs / ours:.1f} |")
    print(f"| copying 64 KiB in the host | {copying():.0f} ns | | |")


main()
