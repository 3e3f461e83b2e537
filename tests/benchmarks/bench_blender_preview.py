"""How long an artist waits in Blender for one frame, from the button to the picture: run it as a script.

python tests/benchmarks/bench_blender_preview.py PYTHON_WITH_BPY [--model MODEL.onnx] [--frames 20]   (720p; the bar: 150 ms)

The plate is an image sequence of sample footage scaled up; the engine is warm. Measured are Preview on a Face Swap node, with the timer as
Blender's own loop runs it, and of that the engine's part.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2

import install.blender
from install.samples import fetch_samples, samples_folder
from tests.support.blender import Blender
from tests.support.clips import pictures
from tests.support.consents import in_project
from tests.support.live_engine import live_engine

INSIDE = """
enable()
link = part("link").session
scene = empty_scene(1280, 720, 1, 60)
tree, end = compositor(scene)
plate = sequence(tree, plate_file, 60, 1)
swap = tree.nodes.new("FaceplateSwapNode")
tree.links.new(plate.outputs["Image"], swap.inputs["Image"])
tree.links.new(swap.outputs["Image"], end.inputs[0])
swap.source, swap.folder = source, folder
if model:
    swap.settings.model, swap.settings.method = model, "model"
scene.frame_set(1)
work(swap, "PREVIEW")
took, engine = [], []
for frame in range(2, 2 + frames):
    scene.frame_set(frame)
    began = look = time.perf_counter()
    begin(swap, "PREVIEW")
    while swap.state == "BUSY":
        if time.perf_counter() >= look:
            look = time.perf_counter() + (link.pump() or 0.02)
        time.sleep(0.001)
    took.append(time.perf_counter() - began)
    job = link.state.jobs[0]
    engine.append(job["ended"] - job["started"])
    assert swap.state == "DONE", swap.message
answer([took, engine])
"""


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser()
    parser.add_argument("python", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--frames", type=int, default=20)
    told = parser.parse_args()
    os.environ["FACEPLATE_PYTHON"] = sys.executable
    samples = fetch_samples(samples_folder(), print)
    with tempfile.TemporaryDirectory() as name, in_project(Path(name)), live_engine(Path(name) / "engine") as live:
        (user := Path(name) / "user").mkdir()
        blender = Blender("", told.python, user)
        blender.run(f"install({str(install.blender.build(Path(name)))!r})\nanswer(True)")
        for i, picture in enumerate(pictures(samples / "cap13_edit2.mp4", 0, 60, (1280, 720)), 1):
            cv2.imwrite(str(live.work / f"plate.{i:04d}.png"), picture[..., ::-1])
        if told.model:
            (live.work / "model.onnx").write_bytes(told.model.read_bytes())
        for model in ("", str(live.work / "model.onnx")) if told.model else ("",):
            given = {"plate_file": str(live.work / "plate.0001.png"), "source": str(live.work / "source.mp4")}
            given |= {"folder": str(live.work / "out"), "model": model, "frames": told.frames}
            (live.work / "source.mp4").write_bytes((samples / "franck.mp4").read_bytes())
            code = "".join(f"{key} = {value!r}\n" for key, value in given.items()) + INSIDE
            took, engine = blender.run(code, seconds=300)
            print(
                f"{median(took) * 1e3:8.0f} ms a frame by {'model' if model else 'reference'}, {min(took) * 1e3:.0f} at least, "
                f"{max(took) * 1e3:.0f} at most; the engine's part {median(engine) * 1e3:.0f} ms, {min(engine) * 1e3:.0f} at least"
            )


if __name__ == "__main__":
    main()
