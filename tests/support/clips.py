"""Short clips for the tests, cut from the sample footage or drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from nodes.footage.footage import open_footage


def pictures(clip: Path, first: int, count: int, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
    """Frames of a clip as uint8 [H, W, 3], scaled to `size` (width, height) when given."""
    with open_footage(clip) as footage:
        for frame in footage.frames(first, first + count - 1):
            picture = frame.rgb8()
            yield picture if size is None else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def write_pngs(folder: Path, frames: Iterable[np.ndarray], first: int) -> list[Path]:
    """Write uint8 [H, W, 3] as plate.0001.png and on, `first` being the number of the first."""
    folder.mkdir()
    files = []
    for number, picture in enumerate(frames, first):
        files.append(folder / f"plate.{number:04d}.png")
        assert cv2.imwrite(str(files[-1]), picture[..., ::-1])
    return files


def write_movie(
    path: Path, frames: Iterable[np.ndarray], rate: Fraction | int = 25, *, sound: bool = False, codec: str = "libx264"
) -> Path:
    """Write a movie; with `sound`, a tone of the same length."""
    with av.open(str(path), "w") as output:
        stream, tone, count = None, None, 0
        for picture in frames:
            count += 1
            if stream is None:
                options = {"crf": "12", "preset": "veryfast"} if codec == "libx264" else {}
                stream = output.add_stream(codec, rate=rate, options=options)
                stream.height, stream.width = picture.shape[:2]
                even = picture.shape[0] % 2 == picture.shape[1] % 2 == 0
                stream.pix_fmt = "yuv420p" if even else "yuv444p"
                tone = output.add_stream("aac", rate=48000, layout="mono") if sound else None
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
        if tone is not None:
            write_tone(output, tone, int(count / rate * 48000))
    return path


def write_tone(output: av.container.OutputContainer, stream: av.AudioStream, samples: int) -> None:
    wave = (np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000) * 0.2).astype(np.float32)
    for at in range(0, samples, 1024):
        block = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], "fltp", "mono")
        block.sample_rate, block.pts = 48000, at
        output.mux(stream.encode(block))
    output.mux(stream.encode(None))


def cut(clip: Path, path: Path, first: int, count: int, **options) -> Path:
    """Write frames of a clip as a movie of its own."""
    return write_movie(path, pictures(clip, first, count), **options)


def plate_and_source(samples: Path, folder: Path, plate: int, source: int) -> dict[str, Path]:
    """Clips of so many frames by their names, which are no sample clips any more."""
    return {
        "plate": cut(samples / "cap13_edit2.mp4", folder / "plate.mp4", 0, plate),
        "source": cut(samples / "franck.mp4", folder / "source.mp4", 300, source),
    }


def packets(path: Path) -> list[bytes]:
    """The coded pictures of a movie."""
    with av.open(str(path)) as found:
        return [bytes(p) for p in found.demux(video=0) if p.size]


def decoded(path: Path) -> list[list[bytes]]:
    """The planes of all pictures of a movie, as they are stored."""
    with av.open(str(path)) as found:
        return [[bytes(plane) for plane in frame.planes] for frame in found.decode(video=0)]
