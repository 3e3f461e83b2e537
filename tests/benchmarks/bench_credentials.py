"""What Content Credentials cost, for each format that is written, at 720p: run it as a script.

python tests/benchmarks/bench_credentials.py [FRAMES] [FORMAT ...]   (sample footage, scaled up; the bar: signing takes less than 5 % of a swap)

The swap is by the method `reference`, the fastest that there is; only its stage `swap` counts, in which frames are rendered and written.
FORMAT: those of plates, `mp4`, `exr`, `png`, `tif` and `dpx`, which the composite is written in beside FFV1. Of the first plate a timeline's media
are made too, ProRes, DNxHR, H.264 and a sequence: their share is that of the swap and of making them, and, more strictly, of making them alone.
Signing is clocked where it happens, with this machine's own certificate and no time-stamp server.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nodes.definitions import Settings

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench_detect_align import scale_up

from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.settings import MediaChoice
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.write.media import Kind, result_media
from install.samples import fetch_samples, samples_folder
from nodes.credentials.identity import load_trust
from nodes.credentials.verify import verify
from nodes.footage.footage import open_footage
from nodes.footage.numbering import has_place
from nodes.footage.sequence import SequenceWriter
from nodes.progress import quiet
from nodes.shot.render import render_shot
from tests.support.consents import in_project

SIZE = 1280, 720
FORMATS = ("mp4", "exr", "png", "tif", "dpx")
MADE: tuple[tuple[Kind, MediaChoice], ...] = (
    ("composite", "prores4444"),
    ("patch", "prores4444"),
    ("composite", "dnxhr"),
    ("composite", "h264"),
    ("composite", "sequence"),
    ("patch", "sequence"),
)


def main() -> None:
    """Print one line a format."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    samples = fetch_samples(samples_folder(), print)
    print(f"{count} frames of {SIZE[0]}x{SIZE[1]}; shares are of the stage `swap` (bar: 5 %)")
    print(f"{'':26}{'MB':>7}{'written':>11}{'signed':>11}{'share':>9}{'alone':>9}{'verified':>11}{'MB/s':>7}")
    with tempfile.TemporaryDirectory() as name, in_project(Path(name)):
        folder = Path(name)
        movie = folder / "plate.mp4"
        scale_up(samples / "cap13_edit2.mp4", movie, SIZE, count)
        for kind in sys.argv[2:] or FORMATS:
            out = folder / f"shot.{kind}"
            plate = movie if kind == "mp4" else sequence_of(movie, folder / kind / f"plate.%04d.{kind}")
            swap = swapped(plate, samples / "franck.mp4", out)
            if kind == "mp4":
                delivered(plate, out, count, swap)


def swapped(plate: Path, source: Path, out: Path) -> float:
    """Swap, print what signing took of it, and return the seconds of the stage."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}

    def note(stage: str, done: int, total: int | None) -> None:
        begun.setdefault(stage, time.perf_counter())
        ended[stage] = time.perf_counter()

    with clocked("nodes.shot.write.sign_shot") as signing, open_footage(plate) as one, open_footage(source) as other:
        render_shot(one, other, out, Settings(), progress=note)
    swap = ended["swap"] - begun["swap"]
    tell(f"a swap of {plate.suffix[1:]}", out, swap, signing[0], swap, out)
    return swap


def delivered(plate: Path, shot: Path, count: int, swap: float) -> None:
    """Make each of a timeline's media of a shot, and print what signing took."""
    rate: Fraction = open_footage(plate).info.rate
    media = Media(url=plate.as_uri(), path=plate, rate=rate, start=0, frames=count)
    record = ShotRecord(id="shot", name="shot", where=(0, 0), media=media, span=(0, count - 1), folder=shot)
    for kind, choice in MADE:
        with clocked("host_bridge.timeline.write.media.sign_derived") as signing:
            began = time.perf_counter()
            made = result_media(record, shot.parent, kind, choice, quiet).path
            took = time.perf_counter() - began - signing[0]
        files = made.parent if has_place(made.name) else made
        tell(f"- {kind}, {choice}", files, took, signing[0], swap + took, made)


def tell(what: str, files: Path, took: float, signing: float, of: float, verified: Path) -> None:
    """Print a line. of: the seconds that signing is a share of."""
    every = [files] if files.is_file() else [f for f in files.rglob("*") if f.is_file()]
    size = sum(f.stat().st_size for f in every) / 1e6
    began = time.perf_counter()
    verdicts = verify(verified, load_trust())
    verifying = time.perf_counter() - began
    assert {v.state for v in verdicts} == {"own"}, verdicts
    share = f"{signing / of:>9.1%}{signing / took:>9.1%}"
    print(f"{what:26}{size:>7.1f}{took:>9.2f} s{signing:>9.3f} s{share}{verifying:>9.3f} s{size / verifying:>7.0f}")


def sequence_of(movie: Path, pattern: Path) -> Path:
    """Write a movie as a sequence."""
    pattern.parent.mkdir()
    with open_footage(movie) as footage, SequenceWriter(pattern, footage.info, 1) as writer:
        for frame in footage.frames():
            writer.write(frame)
    return pattern


@contextmanager
def clocked(name: str) -> Iterator[list[float]]:
    """Clock all calls of a function while in the context: the seconds together, in a list of one."""
    module, function = name.rsplit(".", 1)
    work: Callable[..., Any] = getattr(sys.modules[module], function)
    seconds = [0.0]

    def timed(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(*given, **named)
        finally:
            seconds[0] += time.perf_counter() - began

    with patch(name, timed):
        yield seconds


if __name__ == "__main__":
    main()
