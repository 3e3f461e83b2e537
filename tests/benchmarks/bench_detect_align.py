"""How fast faces are found and aligned at 1080p: run it as a script; ratios compare within one run.

python tests/benchmarks/bench_detect_align.py [FRAMES]   (sample footage, scaled up; the bar: 60 frames/s, at most 1.5 x)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from install.samples import fetch_samples, samples_folder
from nodes.align import align
from nodes.definitions import DetectParameters
from nodes.detect import detect
from nodes.footage import open_footage
from nodes.runtime import load_weights
from nodes.types import Faces

SIZE = 1920, 1080
EVERY = DetectParameters().every


def scale_up(clip: Path, path: Path, size: tuple[int, int], count: int) -> None:
    """Write the first frames of a clip as H.264 of another size."""
    with av.open(str(clip)) as given, av.open(str(path), "w") as output:
        rate = given.streams.video[0].average_rate
        stream = output.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "20"}
        for number, frame in zip(range(count), given.decode(video=0), strict=False):
            picture = frame.reformat(*size, interpolation="BICUBIC")
            picture.pts, picture.time_base, picture.pict_type = number, 1 / rate, 0
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """Time the best of several runs."""
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def decode(path: Path) -> int:
    """Decode by PyAV alone, and drop what comes."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return sum(1 for _ in container.decode(video=0))


def networks(count: int) -> None:
    """Run the networks alone, as often as `count` frames of one followed face need them."""
    mesh, detector = load_weights("face_landmark"), load_weights("face_detection_short")
    crops = {mesh.get_inputs()[0].name: np.random.default_rng(0).random((1, 192, 192, 3), np.float32)}
    picture = {detector.get_inputs()[0].name: np.random.default_rng(1).random((1, 128, 128, 3), np.float32)}
    for frame in range(count):
        mesh.run(None, crops)
        if frame % EVERY == 0:
            detector.run(None, picture)


def detect_and_align(path: Path) -> Faces:
    """Do what is measured."""
    with open_footage(path) as footage:
        faces = detect(footage)
    align(faces)
    return faces


def main() -> None:
    """Print one line per measurement."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    sample = fetch_samples(samples_folder(), print) / "cap13_edit2.mp4"
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "hd.mp4"
        scale_up(sample, clip, SIZE, count)
        count = decode(clip)
        faces = detect_and_align(clip)
        alone, nets, whole = (
            seconds(work) for work in (lambda: decode(clip), lambda: networks(count), lambda: detect_and_align(clip))
        )
    print(f"{SIZE[0]}x{SIZE[1]}, {count} frames, a face on {sum(len(t) for t in faces.tracks)}")
    print(f"decoding alone      {count / alone:7.1f} frames/s")
    print(f"networks alone      {count / nets:7.1f} frames/s")
    print(f"detect + align      {count / whole:7.1f} frames/s   (bar: at least 60)")
    print(f"over both alone     {whole / (alone + nets):7.2f} x          (bar: at most 1.5)")


if __name__ == "__main__":
    main()
