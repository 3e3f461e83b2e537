"""What the engine's queue withstands and what it costs: run it as a script.

python tests/benchmarks/bench_engine_kills.py [--kills 100] [--seed 0] [--jobs 1000] [--folder DIR]

First the cost with --jobs waiting: submitting one more, listing them all (the bar: 50 ms each), and a short job on its warm process. Then
--kills of the engine, of a job's process, of both, of an engine as it starts, at random moments (the bar: no job lost, no file half
written, no process left). Linux.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from install.samples import fetch_samples, samples_folder
from tests.support.clips import cut
from tests.support.engine_process import Engine
from tests.support.engine_storm import storm


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as name:
        costs(Path(name), told.jobs)
    with tempfile.TemporaryDirectory(dir=told.folder) as name:
        clip = cut(fetch_samples(samples_folder(), print) / "franck.mp4", Path(name) / "short.mp4", 0, 4)
        begin = time.monotonic()
        seen = storm(Path(name), told.kills, told.seed, clip, lambda line: print("  " + line, flush=True))
        print(f"{told.kills} kills in {time.monotonic() - begin:.0f} s: {dict(seen)}; nothing lost, nothing left")


def costs(folder: Path, jobs: int) -> None:
    """Print what submitting, listing and a short job take, with `jobs` waiting."""
    with Engine(folder) as engine:
        engine.submit("hang", name="occupies the device", out=folder / "pids")
        took = [
            timed(lambda i=i: engine.submit("count", name=f"{i}", out=folder / "work" / f"{i}")) for i in range(jobs)
        ]
        print(f"submit, {jobs} waiting: {ms(took[-100:])}")
        inside: list[float] = []
        asked = [timed(lambda: inside.append(engine.ask("list")["took"])) for _ in range(20)]
        print(f"list {jobs}: {ms(inside)}; with the way as JSON through a pipe and back: {ms(asked)}")
        again = {"name": "0", "out": folder / "work" / "0"}
        print(f"submit what waits already: {ms([timed(lambda: engine.submit('count', **again)) for _ in range(20)])}")
        quick = [timed(lambda i=i: engine.ended(engine.submit("quick", name=f"{i}", steps=1)["id"])) for i in range(21)]
        print(
            f"short job on its warm process, from submission to result: {ms(quick[1:])}; the first {quick[0] * 1e3:.0f} ms"
        )


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def ms(seconds: list[float]) -> str:
    """Median and worst."""
    return f"median {median(seconds) * 1e3:.1f} ms, worst {max(seconds) * 1e3:.1f} ms"


if __name__ == "__main__":
    main()
