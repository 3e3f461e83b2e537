"""`python -m trainer.occlusion`: make the examples, train the network that ships, measure it and put it in its place."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import cv2
from cyclopts import App

from nodes.files import whole_file
from nodes.mask.classes import SIZE
from nodes.runtime import WEIGHTS
from nodes.subjects.subject import load_subject
from nodes.weights.convert import MANIFEST, write_manifest
from trainer.command_line import ProgressLine, run
from trainer.occlusion.clips import sample_examples
from trainer.occlusion.cutouts import all_cutouts, hand_photographs
from trainer.occlusion.examples import Examples
from trainer.occlusion.rendered import render_examples
from trainer.occlusion.train import Composer, OcclusionSettings, export, measure, train, trained

app = App(name="python -m trainer.occlusion", help="Train the network that tells a face from what is in front of it.")
_CLIPS = "clips.npz"
_HELD_BACK = 12  # takes that do not train: the last ones


@app.command
def examples(folder: Path, *, samples: Path, takes: int = 150, first: int = 0, step: int = 1) -> None:
    """Render takes of people who do not exist, and cut examples out of them and of the sample clips.

    Args:
        folder: The folder that gets the examples. Stopped, the same command goes on.
        samples: The folder with the clips of the demo.
        takes: Takes of four frames; each takes half a minute of a core.
        first: The first take of this process.
        step: Takes from one to the next of this process, so that several can share the work.
    """
    render_examples(folder, takes, first=first, step=step, progress=ProgressLine())
    if not (folder / _CLIPS).is_file():
        sample_examples(samples, progress=ProgressLine()).save(folder / _CLIPS)


def _composer(folder: Path) -> tuple[Composer, list[Examples]]:
    files = sorted(folder.glob("[0-9]*.npz"))
    rendered = [Examples.load(file) for file in files]
    used, held_back = rendered[:-_HELD_BACK], rendered[-_HELD_BACK:]
    cutouts = all_cutouts(used, hand_photographs())
    return Composer(Examples.joined(used), Examples.load(folder / _CLIPS), cutouts), held_back


@app.command(name="train")
def train_network(folder: Path, *, out: Path, steps: int = 4000, batch: int = 12) -> None:
    """Train on examples.

    Args:
        folder: The examples.
        out: The folder of the training. Stopped, the same command goes on.
        steps: Steps in all.
        batch: Crops a step.
    """
    out.mkdir(parents=True, exist_ok=True)
    composer, _ = _composer(folder)
    train(composer, out, OcclusionSettings(steps=steps, batch=batch), ProgressLine())


@app.command
def check(folder: Path, *, out: Path, sheet: Path | None = None) -> None:
    """Measure a training on people that it has not seen.

    Args:
        folder: The examples; the last takes are those that did not train.
        out: The training.
        sheet: A picture of crops, their true classes and what the network says, as a PNG.
    """
    _, held_back = _composer(folder)
    figures, picture = measure(trained(out), Examples.joined(held_back))
    print(figures)
    if sheet:
        with whole_file(sheet) as temporary:
            temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


@app.command(name="export")
def export_network(*, out: Path) -> None:
    """Write the network of a training, and its digest, into the weights that ship.

    Args:
        out: The training.
    """

    name = load_subject("face").occluder
    assert name
    file = WEIGHTS / f"{name}.onnx"
    export(trained(out), file)
    manifest = json.loads(MANIFEST.read_bytes())
    manifest["models"][name] = {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "license": "Apache-2.0",
        "source": "trained by this project: python -m trainer.occlusion",
        "conversion": "trainer/occlusion/train.py",
        "input": f"RGB and the region outlined by landmarks, 0..1, [N, {SIZE}, {SIZE}, 4]",
        "outputs": [
            f"shares of face, hair, hand, glasses, other [N, 5, {SIZE}, {SIZE}]",
            f"features, for corrections [N, 24, {SIZE}, {SIZE}]",
        ],
    }
    write_manifest(manifest)


if __name__ == "__main__":
    sys.exit(run(app))
