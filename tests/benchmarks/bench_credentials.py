"""What Content Credentials cost a shot at 720p: run it as a script.

python tests/benchmarks/bench_credentials.py [FRAMES]   (sample footage, scaled up; the bar: signing takes less than 5 % of a swap)

The swap is by the method `reference`, the fastest that there is. Signing counts all movies, pictures and sequences of the shot's folder,
with this machine's own certificate and no time-stamp server.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench_detect_align import scale_up
from consents import in_project

from install.samples import fetch_samples, samples_folder
from nodes.credentials.folder import verify
from nodes.credentials.identity import load_identity
from nodes.credentials.shot import sign_shot
from nodes.credentials.trust import load_trust
from nodes.footage import open_footage
from nodes.shot.render import render_shot
from nodes.shot.settings import Settings

SIZE = 1280, 720


def main() -> None:
    """Print one line a figure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    samples = fetch_samples(samples_folder(), print)
    with tempfile.TemporaryDirectory() as name, in_project(Path(name)):
        folder, shot = Path(name), Path(name) / "shot"
        scale_up(samples / "cap13_edit2.mp4", folder / "plate.mp4", SIZE, count)
        stages: dict[str, float] = {}

        def note(stage: str, done: int, total: int | None) -> None:
            stages.setdefault(f"{stage} begun", time.perf_counter())
            stages[stage] = time.perf_counter()

        began = time.perf_counter()
        with open_footage(folder / "plate.mp4") as plate, open_footage(samples / "franck.mp4") as source:
            done = render_shot(plate, source, shot, Settings(), 0, count - 1, progress=note)
        whole, swap = time.perf_counter() - began, stages["swap"] - stages["swap begun"]
        size = sum(f.stat().st_size for f in shot.rglob("*") if f.is_file())
        by = load_identity()  # the certificate is made once
        signing = median(_clocked(lambda: sign_shot(shot, done.document, by)) for _ in range(5))
        verifying = _clocked(lambda: verify(shot, load_trust()))
        print(f"{count} frames of {SIZE[0]}x{SIZE[1]}, {size / 1e6:.0f} MB of results")
        print(f"{whole:8.2f} s the whole run, {swap:.2f} s of it the stage `swap`")
        print(
            f"{signing:8.3f} s signing: {signing / swap:.1%} of the stage, {signing / whole:.1%} of the run (bar: 5 %)"
        )
        print(f"{verifying:8.3f} s verifying all of it")


def _clocked(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
