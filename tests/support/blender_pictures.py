"""The pictures of docs/blender.md, of the offline demo's people, taken in the window of a real Blender: run it as a script.

python -m tests.support.blender_pictures HOME COMMAND...

HOME: a new folder, the home of a user who has the demo's two clips. COMMAND: starts a Blender that sees HOME under the same path, as
`blender` or `chroot ROOT blender`, on a display of 1600 by 1000 pixels that shows nothing else. The pictures go into docs/images.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import ImageGrab

import install.blender
from nodes.types import Image8
from tests import ROOT

PARTS = [
    "the plate",
    "the source",
    "Face Detect, Image",
    "Face Align, Image",
    "Face Align, Crop",
    "Face Swap, Matte",
    "Face Swap, Patch",
    "Face Swap, Image",
]
SHOWN: dict[str, dict[str, float | tuple[float, ...]]] = {
    "as the engine made it": {},
    "Opacity 0.5": {"Opacity": 0.5},
    "Exposure 0.7": {"Exposure": 0.7},
    "Saturation 0.2": {"Saturation": 0.2},
    "Gain, blue": {"Gain": (0.75, 0.9, 1.5, 1.0)},
    "Edge -20": {"Edge": -20},
    "Feather 30": {"Feather": 30},
}
FRAME = 66  # of the plate, from 1: a look of surprise
_STAGES = [Path(__file__).with_name(f"blender_{name}.py") for name in ("inside", "window")]
_BACK, _TEXT = (29, 29, 29), (225, 225, 225)
_FACE = slice(60, 460), slice(56, 456)  # rows and columns of the plate
_SIDE = 272


def sheet(folder: Path, names: list[str]) -> Image8:
    """Set pictures of a folder in rows of four, each above its name; BGR."""
    cells = []
    for name in names:
        picture = cv2.imread(str(folder / f"{name}.png"))
        assert picture is not None, name
        cell = np.full((_SIDE + 28, _SIDE, 3), _BACK, np.uint8)
        cell[:_SIDE] = cv2.resize(picture[_FACE], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        cv2.putText(cell, name, (8, _SIDE + 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _TEXT, 1, cv2.LINE_AA)
        cells.append(cell)
    return np.vstack([np.hstack(cells[i : i + 4]) for i in range(0, len(cells), 4)])


def take(home: Path, command: list[str]) -> Path:
    """Let Blender render Face Swap and photograph its window; returns the folder of all that it wrote."""
    for name in ("plate.mp4", "source.mp4"):
        (home / "people").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "install" / "people" / name, home / "people")
    out = home / "taken"
    out.mkdir()
    for stage in _STAGES:
        shutil.copy(stage, out)
    given = json.dumps([str(home), str(install.blender.build(out)), FRAME, SHOWN])
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT), "FACEPLATE_STATE": str(home / "state")}
    engine = [sys.executable, "-m", "host_bridge.engine", "--idle-stop", "10"]
    with subprocess.Popen(engine, env=environment) as process:
        try:
            arguments = [
                "--factory-startup",
                "--window-fullscreen",
                "--python",
                str(out / _STAGES[-1].name),
                "--",
                given,
            ]
            with subprocess.Popen([*command, *arguments], env=environment) as blender:
                while blender.poll() is None:
                    time.sleep(0.5)
                    if (ready := out / "ready").exists():
                        ImageGrab.grab().crop(json.loads(ready.read_text("utf-8"))).save(out / "window.png")
                        ready.unlink()
        finally:
            process.terminate()
    assert (out / "window.png").exists(), "Blender ended before the last picture"
    return out


def main() -> None:
    """Take the pictures, and write them into docs/images."""
    home, images = Path(sys.argv[1]).absolute(), ROOT / "docs" / "images"
    taken = take(home, sys.argv[2:])
    picture = cv2.imread(str(taken / "window.png"))
    there, source = cv2.VideoCapture(str(home / "people" / "source.mp4")).read()
    assert picture is not None and there
    cv2.imwrite(str(taken / "the source.png"), source)
    pictures = {
        "blender-nodes": picture,
        "blender-parts": sheet(taken, PARTS),
        "blender-controls": sheet(taken, ["the plate", *SHOWN]),
    }
    for name, each in pictures.items():
        cv2.imwrite(str(images / f"{name}.png"), each, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
