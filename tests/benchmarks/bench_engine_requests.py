"""What requests to the engine cost, and what thousands of malformed ones do to it: run it as a script.

python tests/benchmarks/bench_engine_requests.py [--malformed 10000]

First the time of a request on one connection each, measured at the client. Then requests made from the OpenAPI document, right ones and
wrong ones. The bar: no answer of 500 and more, no file touched, no token in a log, and the engine answers as before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.live_engine import Live, live_engine
from tests.support.malformed import bombard, still_well, touched

_PART = 500  # what hypothesis keeps of what it has tried grows


def cost(live: Live) -> None:
    """Print what the most frequent requests cost."""
    same = {"clip": str(live.work / "a.mov")}
    asked: dict[str, Callable[[], object]] = {
        "status": live.client.status,
        "list": live.client.list,
        "submit, new": lambda: live.client.submit("detect", {"clip": str(live.work / f"{time.perf_counter_ns()}.mov")}),
        "submit, the same": lambda: live.client.submit("detect", same, priority=-1),
    }
    for name, call in asked.items():
        times = []
        for _ in range(100):
            began = time.perf_counter()
            call()
            times.append((time.perf_counter() - began) * 1000)
        print(f"{name:18} {quantiles(times, n=20)[9]:6.2f} ms, 95 of 100 under {quantiles(times, n=20)[18]:6.2f} ms")
    for job in live.client.list("queued", 1000)["jobs"]:
        live.client.cancel(job["id"])


def main() -> int:
    """Measure, and return 1 if the engine has suffered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--malformed", type=int, default=10_000)
    wanted = parser.parse_args().malformed
    with tempfile.TemporaryDirectory() as folder, live_engine(Path(folder)) as live:
        cost(live)
        before, count, began = touched(live.work), Counter[int](), time.perf_counter()
        for part in range(0, wanted, _PART):
            count += bombard(live, min(_PART, wanted - part), first_seed=part)
        told = ", ".join(f"{number} of {status}" for status, number in sorted(count.items()))
        print(f"{count.total()} requests in {time.perf_counter() - began:.0f} s: {told}")
        secret = live.token.encode()
        leaks = [
            f for f in live.state.rglob("*") if f.name != "engine.json" and f.is_file() and secret in f.read_bytes()
        ]
        well = still_well(live) and touched(live.work) == before and not leaks
        print("well: no error, no file touched, no secret in a log" if well else f"NOT WELL; leaks: {leaks}")
        return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
