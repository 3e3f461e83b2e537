"""How long a host waits for one frame of a swap from a warm engine: run it as a script.

python tests/benchmarks/bench_preview.py [--model MODEL.onnx] [--frames 20]   (sample footage scaled up to 720p; the bar: 120 ms)

Measured at the client, from the request to the answer, with decoding, finding (what was found for the shot is kept), swapping and
writing a PNG and an EXR. Then what the engine's own process takes when nothing is asked of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench_detect_align import scale_up

from host_bridge.client import Client, connect
from install.samples import fetch_samples, samples_folder
from tests.support.consents import in_project

SIZE = 1280, 720
_IDLE = 10.0  # seconds


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--frames", type=int, default=20)
    told = parser.parse_args()
    samples = fetch_samples(samples_folder(), print)
    with tempfile.TemporaryDirectory() as name, in_project(Path(name)), _engine(Path(name)) as client:
        plate = Path(name) / "plate.mp4"
        scale_up(samples / "cap13_edit2.mp4", plate, SIZE, 100)
        for method in ("reference", "model") if told.model else ("reference",):
            swap = {"model": str(told.model.resolve())} if method == "model" else {}
            request = {"plate": str(plate), "source": str(samples / "franck.mp4"), "settings": {"swap": swap}}
            first, *others = (_still(client, Path(name), request, 20 + n) for n in range(told.frames + 1))
            print(f"{median(others) * 1e3:8.0f} ms a frame by {method}, {max(others) * 1e3:.0f} at most")
            print(f"{first:8.1f} s the first one: finding and deciding for the whole shot")
        pid = client.status()["pid"]
        before = _processor(pid)
        time.sleep(_IDLE)
        print(f"{(_processor(pid) - before) / _IDLE * 100:8.2f} % of a core by the idle engine")
        print(f"{_resident(pid) / 1e6:8.0f} MB resident")


def _still(client: Client, folder: Path, request: dict[str, object], frame: int) -> float:
    out = {"frame": frame, "out": str(folder / f"{frame}.png"), "patch": str(folder / f"{frame}.exr")}
    began = time.perf_counter()
    job = client.submit("preview", request | out, wait=60)
    while job["state"] in ("queued", "running"):
        job = client.wait(job["id"], 60)
    took = time.perf_counter() - began
    if job["state"] != "finished":
        raise SystemExit(str(job["error"]))
    return took


@contextmanager
def _engine(folder: Path) -> Iterator[Client]:
    os.environ["FACEPLATE_ROOTS"] = os.sep
    client = connect(folder / "state")
    try:
        yield client
    finally:
        client.stop()


def _processor(pid: int) -> float:
    """Seconds of processor time that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
