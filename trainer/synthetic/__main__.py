"""`python -m trainer.synthetic`: people, takes and the set of takes that benchmarks use, from the command line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cv2
from cyclopts import App

from nodes.errors import UsageError
from nodes.files import load_document, whole_file
from trainer.command_line import ProgressLine, run
from trainer.synthetic.assets import BLENDER, WHEEL
from trainer.synthetic.make import make_take
from trainer.synthetic.sheet import people_sheet
from trainer.synthetic.suite import demo_takes, make_set
from trainer.synthetic.take import SCHEMA, Take

app = App(name="python -m trainer.synthetic", help="Render people who do not exist, with the truth beside each frame.")


@app.command
def take(document: Path, *, out: Path) -> None:
    """Render a take.

    Args:
        document: A take as JSON, see docs/synthetic.md.
        out: The folder that gets footage, frames and truth. Stopped, the same command goes on.
    """
    remedy = "Write one as docs/synthetic.md shows"
    print(make_take(load_document(document, Take, SCHEMA, remedy), out, progress=ProgressLine()))


@app.command(name="set")
def make(*names: str, out: Path | None = None, frames: int = 48) -> None:
    """Render the twelve takes of the benchmarks, 8 people, and the true results of four swaps.

    Args:
        names: Takes to render; all by default.
        out: The folder that gets them; by default one in the cache.
        frames: Frames of a take.
    """
    print(make_set(out, frames=frames, only=names, progress=ProgressLine()))


@app.command
def demo(*, out: Path) -> None:
    """Render the two clips of `faceplate demo --offline` again, with the manifest that says what they are made of.

    Args:
        out: The folder that gets them; `install/people` in the checkout holds them.
    """
    made = {}
    for each in demo_takes():
        plate = make_take(each, out.with_name(f"{out.name}-frames") / each.name, progress=ProgressLine())
        with whole_file(out / f"{each.name}.mp4") as temporary:
            shutil.copyfile(plate, temporary)
        made[f"{each.name}.mp4"] = each.model_dump(mode="json", by_alias=True)
    with whole_file(out / "manifest.json") as temporary:
        temporary.write_text(json.dumps({"made_with": [WHEEL, BLENDER], "takes": made}, indent=1) + "\n", "utf-8")
    print(out)


@app.command
def people(*, out: Path, count: int = 24, first: int = 1, size: int = 256) -> None:
    """Render a contact sheet of people.

    Args:
        out: The picture, a PNG.
        count: People on it.
        first: The seed of the first; the others follow.
        size: Side of each portrait in pixels.
    """
    if out.suffix.lower() != ".png":
        raise UsageError(f"{out} is not the name of a PNG file", remedy="Name one, as --out people.png")
    sheet = people_sheet(range(first, first + count), size, out.with_suffix(""), progress=ProgressLine())
    with whole_file(out) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
    print(out)


if __name__ == "__main__":
    sys.exit(run(app))
