"""How fast and how exactly a sign is followed without landmarks: run it as a script; ratios compare within one run.

python tests/benchmarks/bench_registration.py [FRAMES] [WIDTH]   (photographs of scikit-image; by default 24 frames, 1280 wide)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from skimage import data

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from nodes.align.registration.register import inverse_warp, register
from nodes.definitions import RegisterParameters, Registrar, Transform
from nodes.geometry.sampling import warp
from nodes.types import Roi
from tests.support.memory import clip_of
from tests.support.scenes import corner_error, lay, shoot, similarity, tilted


def main() -> None:
    """Print one line per method and model, and what a crop costs."""
    count, width = (int(sys.argv[i]) if len(sys.argv) > i else n for i, n in ((1, 24), (2, 1280)))
    size = width, width * 9 // 16
    background = cv2.resize(data.astronaut(), size, interpolation=cv2.INTER_CUBIC)
    sign = data.coffee()
    own = sign.shape[1], sign.shape[0]
    print(f"{size[0]}x{size[1]}, {count} frames, an object of about {width // 4} pixels, {cv2.getNumThreads()} threads")
    for model in Transform:
        truth, frames = [], []
        for i in range(count):
            matrix = similarity(width / 4 / own[0], i, width * 0.4 + 2 * i, size[1] * 0.5, own)
            truth.append(tilted(matrix, 0.2, 0.1 - 0.01 * i, own) if model is Transform.HOMOGRAPHY else matrix)
            frames.append(shoot(lay(background, sign, truth[-1]), noise=2, blur=0.5, seed=i))
        clip = clip_of(frames)
        for method in (Registrar.FEATURES, Registrar.ECC):
            start = time.perf_counter()
            found = register(clip.frames(), sign, parameters=RegisterParameters(method=method, model=model))
            rate = count / (time.perf_counter() - start)
            errors = [corner_error(a, b, own) for a, b, f in zip(found.to_plate, truth, found.found, strict=True) if f]
            told = f"{np.mean(errors):.3f} px mean, {max(errors):.3f} px worst" if errors else "never found"
            print(
                f"{method:9} {model:11} {rate:6.1f} frames/s   corners off by {told}; found in {len(errors)} of {count}"
            )
        start = time.perf_counter()
        for frame, matrix in zip(frames, found.to_plate, strict=True):
            inverse_warp(warp(frame, matrix, Roi(0, 0, *own)), matrix, size)
        print(f"crop {own[0]}x{own[1]} and back  {count / (time.perf_counter() - start):6.1f} frames/s")


if __name__ == "__main__":
    main()
