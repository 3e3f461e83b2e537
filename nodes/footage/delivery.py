"""Pictures as the codecs take them that editing programs read: ProRes 4444, DNxHR HQX, H.264, all in QuickTime.

Y'CbCr pictures keep their matrix and go to 10 bits (H.264: 8) and video range; all others become Y'CbCr by BT.709 from what is displayed, so
that light beyond white is clipped. A picture with alpha is an array, straight: a coder's noise in the colour then stays what it is, where
dividing a premultiplied one by a small alpha would make it large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from nodes.errors import OutputError
from nodes.footage.colour import from_linear
from nodes.footage.frame import SWS_MATRIX, Frame, MovieFrame
from nodes.footage.info import SPACE_BT709, SPACE_UNSPECIFIED, ColourTags, FootageInfo
from nodes.footage.matrix import resolved_space, rgb_to_yuv
from nodes.footage.pixels import transform
from nodes.footage.planes import copy, is_full_range, layout, new_frame, tag, views
from nodes.types import Float

Delivery = Literal["prores4444", "dnxhr", "avc"]
_VIDEO, _BT709 = 1, 1
_FULL_444 = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


@dataclass(frozen=True, slots=True)
class Coding:
    """How pictures are coded. alpha: the format with alpha. least: width and height. whole: pixels that share chroma, in x and y. spaces: the
    matrices that it can say (H.273), any when there are none; another becomes BT.709."""

    title: str
    encoder: str
    pixels: str
    options: tuple[tuple[str, str], ...]
    alpha: str | None = None
    least: tuple[int, int] = (2, 2)
    whole: tuple[int, int] = (1, 1)
    spaces: tuple[int, ...] = ()


CODINGS: dict[Delivery, Coding] = {
    "prores4444": Coding(
        "ProRes 4444",
        "prores_ks",
        "yuv444p10le",
        (("profile", "4444"), ("vendor", "apl0"), ("alpha_bits", "16")),
        alpha="yuva444p10le",
    ),
    "dnxhr": Coding(
        "DNxHR HQX", "dnxhd", "yuv422p10le", (("profile", "dnxhr_hqx"),), least=(256, 120), whole=(2, 1), spaces=(1, 9)
    ),
    "avc": Coding(
        "H.264", "libx264", "yuv420p", (("preset", "medium"), ("crf", "12"), ("g", "24"), ("bf", "2")), whole=(2, 2)
    ),
}


def check_delivery(codec: Delivery, width: int, height: int, *, alpha: bool) -> None:
    """Raise OutputError for pictures that a codec cannot hold."""
    coding = CODINGS[codec]
    if alpha and coding.alpha is None:
        raise OutputError(f"{coding.title} has no alpha", remedy="Use prores4444 or a sequence for what has")
    if width < coding.least[0] or height < coding.least[1]:
        least = f"{coding.least[0]}x{coding.least[1]}"
        raise OutputError(
            f"{coding.title} has no pictures of {width}x{height}; the least is {least}",
            remedy="Use prores4444 or a sequence",
        )
    if width % coding.whole[0] or height % coding.whole[1]:
        raise OutputError(
            f"{coding.title} has no pictures of an odd size, {width}x{height}", remedy="Use prores4444 or a sequence"
        )


def delivered(frame: Frame | Float, codec: Delivery, info: FootageInfo, convert: VideoReformatter) -> av.VideoFrame:
    """The picture as `codec` takes it, with its colour tags and, where the codec has it, its alpha.

    frame: a Frame, or what is displayed with straight alpha, float32 [H, W, 4] in 0..1. convert: kept from picture to picture.
    """
    coding = CODINGS[codec]
    if isinstance(frame, np.ndarray):
        assert coding.alpha is not None
        return _from_rgb(frame[..., :3], frame[..., 3], coding.alpha, info)
    lay = layout(frame.picture.format.name) if isinstance(frame, MovieFrame) else None
    if isinstance(frame, MovieFrame) and lay is not None and lay.family == "yuv":
        space = resolved_space(frame.info)
        full = is_full_range(lay, frame.info.tags)
        said = space if space in (coding.spaces or (space,)) else SPACE_BT709
        source = ColorRange.JPEG if full else ColorRange.MPEG
        pixels = coding.pixels if lay.alpha is None else coding.alpha or coding.pixels
        found = _reformat(frame.picture, pixels, (space, said), convert, source)
        given = frame.info.tags
        primaries = given.primaries if given.primaries != SPACE_UNSPECIFIED else space
        transfer = given.transfer if given.transfer != SPACE_UNSPECIFIED else _BT709
        tag(found, ColourTags(said, _VIDEO, primaries if primaries in (1, 4, 5, 6, 7, 9) else _BT709, transfer))
        return found
    if coding.alpha is not None and (alpha := frame.alpha()) is not None:
        return _from_rgb(_straight(frame, alpha), alpha, coding.alpha, info)
    found = _from_rgb(np.ascontiguousarray(frame.rgb()), None, "yuv444p10le", info)
    if coding.pixels != "yuv444p10le":
        found = _reformat(found, coding.pixels, (SPACE_BT709, SPACE_BT709), convert, ColorRange.MPEG)
        tag(found, _DISPLAY)
    return found


def _straight(frame: Frame, alpha: Float) -> Float:
    """What is displayed, not multiplied by alpha: as it is stored, but in what is scene-linear."""
    if frame.info.colour != "scene_linear":
        return frame.rgb()
    linear = frame.linear() / np.where(alpha > 0, alpha, 1)[..., None]
    return from_linear(np.ascontiguousarray(linear, np.float32), "srgb", exact=True)


_DISPLAY = ColourTags(SPACE_BT709, _VIDEO, _BT709, _BT709)


def _reformat(
    picture: av.VideoFrame, pixels: str, spaces: tuple[int, int], convert: VideoReformatter, source: ColorRange
) -> av.VideoFrame:
    found = convert.reformat(
        picture,
        format=pixels,
        src_colorspace=SWS_MATRIX[spaces[0]],
        dst_colorspace=SWS_MATRIX[spaces[1]],
        src_color_range=source,
        dst_color_range=ColorRange.MPEG,
        interpolation=_FULL_444,
    )
    found = copy(found) if found is picture else found
    found.pict_type = 0  # the coder chooses where key frames go, not the source
    return found


def _from_rgb(rgb: Float, alpha: Float | None, pixels: str, info: FootageInfo) -> av.VideoFrame:
    lay = layout(pixels)
    assert lay is not None
    height, width = rgb.shape[:2]
    found = new_frame(pixels, width, height, _DISPLAY)
    like = FootageInfo(info.path, width, height, info.rate, info.frames, tags=_DISPLAY)
    codes = transform(np.ascontiguousarray(np.clip(rgb, 0, 1)), rgb_to_yuv(like, lay))
    planes = views(found)
    for i in range(3):
        planes[i][...] = np.clip(codes[..., i] + np.float32(0.5), 0, lay.white)
    if alpha is not None:
        planes[3][...] = np.clip(alpha, 0, 1) * np.float32(lay.white) + np.float32(0.5)
    return found
