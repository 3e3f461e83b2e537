"""How fast `swap --method reference` is at 720p, stage by stage: run it as a script.

python tests/benchmarks/bench_swap.py [FRAMES]   (sample footage, scaled up; the bar: 24 frames/s of a shot)
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench_detect_align import scale_up

from install.samples import fetch_samples, samples_folder
from nodes.align import align
from nodes.definitions import MaskParameters, Settings
from nodes.detect import detect
from nodes.footage.footage import open_footage
from nodes.footage.frame import Frame
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.patch_files import write_matte, write_patch
from nodes.mask import Mattes
from nodes.shot.render import render_shot
from nodes.swap import swap
from nodes.types import Patch
from tests.support.consents import in_project

SIZE = 1280, 720


def main() -> None:
    """Print one line per stage, each alone, and then all of them at once, with the preview, as a shot is rendered."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    samples = fetch_samples(samples_folder(), print)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(in_project(folder))
        scale_up(samples / "cap13_edit2.mp4", folder / "plate.mp4", SIZE, count)
        plate = stack.enter_context(open_footage(folder / "plate.mp4"))
        source = stack.enter_context(open_footage(samples / "franck.mp4"))
        count = plate.info.frames
        mark = time.perf_counter()

        def tell(stage: str, frames: int) -> None:
            nonlocal mark
            took = time.perf_counter() - mark
            print(f"{stage:34} {frames / took:7.1f} frames/s   {took / frames * 1e3:7.2f} ms a frame")
            mark = time.perf_counter()

        alignments = align(detect(plate)).crops
        tell("detect + align the plate", count)
        faces = detect(source, last=1199)
        tell("detect the source", faces.count)
        plan = swap(None, alignments, Mattes(alignments, MaskParameters()), None, source, faces)
        tell(f"plan (crops of {plan.tracks[0].size} pixels)", count)
        rendered = list(plan.patches(plate.frames()))
        tell("render", count)
        composites = [frame.over(patch) for frame, patch in rendered]
        tell("over", count)
        with MovieWriter(folder / "alone.mkv", plate.info) as movie:
            for frame in composites:
                movie.write(frame)
        tell("write composite, FFV1", count)
        for frame, patch in rendered[:50]:
            write_patches(folder, frame, patch)
        tell("write patch and matte, EXR", min(50, count))
        del rendered, composites
        mark = time.perf_counter()
        last, begun, first = 0.0, 0.0, 0

        def note(stage: str, done: int, total: int | None) -> None:
            nonlocal last, begun, first
            # From its first frame on: what was decided before, the second look among it, is no part of the stage.
            if stage == "swap":
                last = time.perf_counter()
                begun, first = (begun, first) if begun else (last, done)

        render_shot(plate, source, folder / "shot", Settings(), 0, count - 1, progress=note)
        mark += (begun - mark) + (time.perf_counter() - last)
        tell("the stage `swap` of a shot (bar: 24)", count - first)


def write_patches(folder: Path, frame: Frame, patch: Patch) -> None:
    """Write both picture files of a frame."""
    write_patch(folder / "patch" / f"patch.{frame.index:04d}.exr", patch, *SIZE)
    write_matte(folder / "matte" / f"matte.{frame.index:04d}.exr", patch.rgba[..., 3], patch.roi, *SIZE)


if __name__ == "__main__":
    main()
