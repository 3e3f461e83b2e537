"""From takes to folders: frames rendered, footage delivered, truth written beside them; what is there already is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nodes.cache import digest_code, key_of
from nodes.errors import writing
from nodes.files import load_document, whole_file
from nodes.progress import Progress, quiet
from nodes.types import Image8
from trainer.synthetic.picture import displayed, eight_bits, grained, write_acescg, write_movie
from trainer.synthetic.render import Passes, render
from trainer.synthetic.take import SCHEMA, Take, players, scene_of
from trainer.synthetic.truth.truth import look_up, measure_truth, write_truth

DOCUMENT = "take.json"


def make_take(take: Take, folder: Path, *, workers: int | None = None, progress: Progress = quiet) -> Path:
    """Render a take into a folder and return its footage: `plate.mp4`, or `plate.%04d.exr`.

    The folder gets `take.json`, `frames/` with all passes, `truth.npz`, and the footage. Stopped, the same call goes on. Raises FaceplateError.
    """
    plate = plate_of(take, folder)
    text = take.model_dump_json(by_alias=True, indent=1)
    complete, key = folder / "complete", key_of(take=text, code=digest_code("trainer.synthetic"))
    if complete.is_file() and complete.read_text("ascii") == key:
        return plate
    complete.unlink(missing_ok=True)
    with whole_file(folder / DOCUMENT, sync=False) as temporary:
        temporary.write_text(text, "utf-8")
    there = players(take)
    scene = scene_of(take, there)
    files = render(scene, folder, workers=workers, progress=progress)
    world = [player.posed @ player.placed[:3, :3].T + player.placed[:3, 3] for player in there]
    curves = [player.acting.coefficients for player in there]
    truth = measure_truth([player.figure for player in there], curves, world, scene.camera, scene.size)
    write_truth(look_up(truth, files), folder / "truth.npz")
    deliver([(take, file, number) for number, file in enumerate(files)], plate)
    with writing(complete):
        complete.write_text(key, "ascii")
    return plate


def plate_of(take: Take, folder: Path) -> Path:
    """Return where the footage of a take lies."""
    return folder / ("plate.mp4" if take.delivery.kind == "h264" else "plate.%04d.exr")


def load_take(folder: Path) -> Take:
    """Read the take of a folder; raises SchemaError."""
    return load_document(folder / DOCUMENT, Take, SCHEMA, "Make it again with `python -m trainer.synthetic take`")


def deliver(frames: Sequence[tuple[Take, Path, int]], plate: Path) -> None:
    """Write footage of rendered frames, each (take, file, number in its take); several takes are cut together. Raises OutputError."""
    first = frames[0][0]
    if first.delivery.kind == "h264":
        write_movie(_pictures(frames), plate, first.rate, first.delivery.crf)
        return
    for number, (_, file, _) in enumerate(frames):
        write_acescg(Passes(file).rgb, plate.with_name(plate.name % number))


def _pictures(frames: Sequence[tuple[Take, Path, int]]) -> Iterator[Image8]:
    for take, file, number in frames:
        finish = take.delivery
        picture = displayed(Passes(file).rgb, finish.stops)
        yield eight_bits(grained(picture, finish.grain, take.seed * 100_003 + number))


def staged(progress: Progress, name: str) -> Progress:
    """Return a callback that reports a take's progress under its name."""

    def tell(stage: str, done: int, total: int | None) -> None:
        progress(f"{stage} {name}", done, total)

    return tell
