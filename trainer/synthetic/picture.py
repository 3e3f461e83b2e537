"""The way from a rendered frame to footage: exposure, grain, and a movie or image files as a camera delivers them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from nodes.errors import OutputError
from nodes.files import whole_file
from nodes.footage.colour import to_srgb
from nodes.footage.images import half_spec, write_image
from nodes.types import Float, Image8

# Linear Rec.709 to ACEScg, Bradford-adapted from D65 to the white of ACES (S-2014-004).
_ACESCG = np.array(
    [[0.613097, 0.339523, 0.047380], [0.070194, 0.916354, 0.013452], [0.020616, 0.109570, 0.869815]], np.float32
)
_AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
_KNEE = 0.7  # linear light above which highlights roll off
_GRAIN_SIZE = 0.6  # pixels


def displayed(rgb: Float, stops: float = 0.0) -> Float:
    """Expose scene-linear light and encode it for a display (sRGB), with highlights that roll off; float32 0..1, [H, W, 3]."""
    light = np.maximum(rgb, 0) * np.float32(2.0**stops)
    over = np.maximum(light - _KNEE, 0)
    light = np.minimum(light, _KNEE) + (1 - _KNEE) * (1 - np.exp(-over / (1 - _KNEE)))
    return to_srgb(np.asarray(light, np.float32), "scene_linear")


def grained(picture: Float, strength: float, seed: int) -> Float:
    """Add film grain to a displayed picture: strongest in the middle tones, a little of its own in each channel; strength 1 is 0.03 of the range."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.standard_normal((*picture.shape[:2], 4), np.float32), (0, 0), _GRAIN_SIZE)
    noise = noise / noise.std()
    level = picture.mean(-1, keepdims=True)
    amount = 0.03 * strength * (0.35 + 2.6 * level * (1 - level))
    return np.asarray(picture + amount * (0.8 * noise[..., :1] + 0.6 * noise[..., 1:]), np.float32)


def eight_bits(picture: Float) -> Image8:
    """Round a displayed picture to 8 bits."""
    return np.asarray(np.clip(picture, 0, 1) * 255 + 0.5, np.uint8)


def write_movie(pictures: Iterable[Image8], path: Path, rate: Fraction, crf: int) -> None:
    """Write an H.264 movie, 8-bit 4:2:0 of Rec.709, at a constant rate factor; the same bytes for the same pictures. Raises OutputError."""
    with whole_file(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", container_options={"movflags": "+faststart"}) as movie:
                stream = movie.add_stream(
                    "libx264", rate=rate, options={"crf": str(crf), "preset": "medium", "threads": "1"}
                )
                stream.pix_fmt, stream.time_base = "yuv420p", 1 / rate
                context = stream.codec_context
                context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
                for index, picture in enumerate(pictures):
                    if index == 0:
                        stream.height, stream.width = picture.shape[:2]
                    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(
                        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
                    )
                    frame.pts, frame.time_base = index, 1 / rate
                    movie.mux(stream.encode(frame))
                movie.mux(stream.encode(None))
        except av.FFmpegError as e:
            raise OutputError(f"cannot be encoded ({e.strerror})", file=path, remedy="Choose another size") from e


def write_acescg(rgb: Float, path: Path) -> None:
    """Write scene-linear Rec.709 as a half-float EXR in ACEScg, with its chromaticities; raises OutputError."""
    spec = half_spec(rgb.shape[1], rgb.shape[0], ("R", "G", "B"), "zip:1")
    spec.attribute("chromaticities", "float[8]", _AP1)
    spec.attribute("oiio:ColorSpace", "ACEScg")
    with whole_file(path, sync=False) as temporary:
        write_image(temporary, (rgb @ _ACESCG.T).astype(np.float16), spec)
