"""How fast faces are found and aligned at 1080p: run it as a script; ratios compare within one run.

    python tests/benchmarks/bench_detect_align.py [--frames N] [--mediapipe PYTHON]

It uses sample footage, scaled up. PYTHON is the interpreter of an environment that has mediapipe==0.10.21 and av; its face
mesh with irises is then measured in turn with ours. The bars: 60 frames/s, at most 1.5 x, and no slower than MediaPipe.
"""

from __future__ import annotations

import argparse
import os
import subprocess
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
from nodes.footage.footage import open_footage
from nodes.runtime import load_weights
from nodes.types import Faces

SIZE = 1920, 1080
EVERY = DetectParameters().every
RUNS = 3
MEDIAPIPE = """
import sys, time
import av, mediapipe
mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
start, faces = time.perf_counter(), 0
with av.open(sys.argv[1]) as clip:
    clip.streams.video[0].thread_type = "AUTO"
    for frame in clip.decode(video=0):
        found = mesh.process(frame.to_ndarray(format="rgb24")).multi_face_landmarks
        faces += bool(found) and len(found[0].landmark) == 478
print(time.perf_counter() - start, faces)
"""


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


def seconds(work: Callable[[], object]) -> float:
    """Time one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def decode(path: Path) -> int:
    """Decode by PyAV alone, and drop what comes."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return sum(1 for _ in container.decode(video=0))


def networks(count: int) -> None:
    """Run the networks alone, as often as `count` frames of one followed face need them."""
    every = {"face_landmark": 1, "face_landmarks": 1, "face_detection_short": EVERY}
    sessions = [(load_weights(name), step) for name, step in every.items()]
    pictures = [{i.name: np.zeros((1, *i.shape[1:]), np.float32)} for i in (s.get_inputs()[0] for s, _ in sessions)]
    for frame in range(count):
        for (session, step), picture in zip(sessions, pictures, strict=True):
            if frame % step == 0:
                session.run(None, picture)


def detect_and_align(path: Path) -> Faces:
    """Do what is measured."""
    with open_footage(path) as footage:
        faces = detect(footage)
    align(faces)
    return faces


def by_mediapipe(python: str, path: Path) -> tuple[float, int]:
    """Seconds that MediaPipe takes to find a face with irises in each frame, without its start, and in how many it does."""
    found = subprocess.run([python, "-c", MEDIAPIPE, path], check=True, capture_output=True, text=True)
    taken, faces = found.stdout.split()[-2:]
    return float(taken), int(faces)


def main() -> None:
    """Print one line per measurement, the best of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--mediapipe", metavar="PYTHON", help="interpreter of an environment that has MediaPipe")
    told = parser.parse_args()
    sample = fetch_samples(samples_folder(), print) / "cap13_edit2.mp4"
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "hd.mp4"
        scale_up(sample, clip, SIZE, told.frames)
        count = decode(clip)
        faces = detect_and_align(clip)
        for _ in range(RUNS):
            taken = [seconds(work) for work in (lambda: decode(clip), lambda: networks(count))]
            taken.append(seconds(lambda: detect_and_align(clip)))
            rounds.append([*taken, by_mediapipe(told.mediapipe, clip)[0] if told.mediapipe else np.nan])
        theirs = by_mediapipe(told.mediapipe, clip)[1] if told.mediapipe else 0
    alone, nets, whole, other = np.min(rounds, axis=0)
    print(f"{SIZE[0]}x{SIZE[1]}, {count} frames, a face on {sum(len(t) for t in faces.tracks)}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"decoding alone      {count / alone:7.1f} frames/s")
    print(f"networks alone      {count / nets:7.1f} frames/s")
    print(f"detect + align      {count / whole:7.1f} frames/s   (bar: at least 60)")
    print(f"over both alone     {whole / (alone + nets):7.2f} x          (bar: at most 1.5)")
    if told.mediapipe:
        print(f"MediaPipe           {count / other:7.1f} frames/s   (a face on {theirs}; it does not align)")
        print(f"over MediaPipe      {whole / other:7.2f} x          (bar: at most 1)")


if __name__ == "__main__":
    main()
