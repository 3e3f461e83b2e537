"""How fast footage is read, shown, composited and written: run it as a script; ratios compare within one run.

python tests/benchmarks/bench_footage.py [CLIP]   (a clip is scaled to 1080p and 720p; without one, a drawn pattern)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from nodes.footage.footage import open_footage
from nodes.footage.frame import Frame
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.patch_files import write_patch
from nodes.types import Patch, Roi

COUNT = 120


def encode(path: Path, size: tuple[int, int], source: Path | None) -> None:
    """Write COUNT frames of H.264 at a size."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    shots = iter(open_footage(source).frames(0, COUNT - 1)) if source else None
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height = size
        for i in range(COUNT):
            if shots is not None:
                picture = av.VideoFrame.from_ndarray(next(shots).rgb8(), "rgb24")
            else:
                wave = 127 + 100 * np.sin(x / 40 + y / 60 + i / 5)
                picture = av.VideoFrame.from_ndarray(
                    np.dstack([wave, wave[::-1], wave[:, ::-1]]).astype(np.uint8), "rgb24"
                )
            picture = picture.reformat(*size, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = i, Fraction(1, 25), 0
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def per_frame(work: Callable[[], int]) -> float:
    """Return milliseconds per frame, the better of two runs."""
    best = 1e9
    for _ in range(2):
        start = time.perf_counter()
        count = work()
        best = min(best, (time.perf_counter() - start) / count * 1e3)
    return best


def bare(path: Path) -> int:
    """Decode by PyAV alone."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return sum(1 for _ in container.decode(video=0))


def read(path: Path, use: Callable[[Frame], object]) -> int:
    """Read a clip and do something with each frame."""
    with open_footage(path) as clip:
        return sum(1 for f in clip.frames() if use(f) is not f)


def ellipse(side: int) -> Patch:
    """Make a soft opaque ellipse in the middle of 1280x720."""
    y, x = np.mgrid[:side, :side] / side * 2 - 1
    alpha = np.clip(4 - 4 * np.hypot(y, x), 0, 1)
    rgba = np.dstack([alpha * 0.4, alpha * 0.3, alpha * 0.2, alpha]).astype(np.float32)
    return Patch(0, Roi(440, 160, 440 + side, 160 + side), rgba)


def main() -> None:
    """Print one line per measurement."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder:
        hd, small = Path(folder) / "hd.mp4", Path(folder) / "small.mp4"
        encode(hd, (1920, 1080), source)
        encode(small, (1280, 720), source)
        alone = per_frame(lambda: bare(hd))
        print(f"1080p decode, PyAV alone        {1e3 / alone:7.0f} frames/s")
        for name, use in (
            ("decode", lambda f: None),
            ("decode + rgb8", lambda f: f.rgb8()),
        ):
            took = per_frame(lambda use=use: read(hd, use))
            print(f"1080p {name:25} {1e3 / took:7.0f} frames/s  {took / alone:5.2f} x decoding alone")
        with open_footage(small) as clip:
            start = time.perf_counter()
            for i in range(0, COUNT, 11):
                clip.frame(COUNT - 1 - i)
            print(f"720p random frame               {(time.perf_counter() - start) / 11 * 1e3:7.1f} ms")
            frames = list(clip.frames(0, 39))
            patch = ellipse(400)

            def over() -> int:
                return sum(1 for f in frames if f.over(patch) is not f)

            print(f"720p over() of 400x400          {per_frame(over):7.2f} ms")
            composites = [f.over(patch) for f in frames]

            def write(codec: str, suffix: str) -> int:
                with MovieWriter(Path(folder) / f"out{suffix}", clip.info, codec) as writer:  # type: ignore[arg-type]
                    for f in composites:
                        writer.write(f)
                return len(composites)

            print(f"720p FFV1 write                 {1e3 / per_frame(lambda: write('ffv1', '.mkv')):7.0f} frames/s")
            print(f"720p H.264 preview write        {1e3 / per_frame(lambda: write('h264', '.mp4')):7.0f} frames/s")

            def patches() -> int:
                for i in range(20):
                    write_patch(Path(folder) / "patch" / f"p.{i:04d}.exr", patch, 1280, 720)
                return 20

            print(f"patch file of 400x400           {per_frame(patches):7.2f} ms")


if __name__ == "__main__":
    main()
