"""Conversion of pictures for codecs: FFV1 (lossless), H.264 (preview), and editing codecs (ProRes 4444, DNxHR HQX, H.264).

For editing programs, Y'CbCr pictures keep their matrix and go to 10 bits (H.264: 8) and video range; all others become Y'CbCr by BT.709 from
what is displayed, so that light beyond white is clipped. A picture with alpha is an array, straight: coding noise in the colour
then stays small, while dividing a premultiplied colour by a small alpha would amplify it.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from nodes.errors import OutputError
from nodes.footage.colour import from_linear, resolved_space, rgb_to_yuv, transform
from nodes.footage.formats import CODECS, Delivery
from nodes.footage.frame import SWS_MATRIX, Frame, MovieFrame
from nodes.footage.info import RANGE_FULL, SPACE_BT709, SPACE_UNSPECIFIED, ColourTags, FootageInfo
from nodes.footage.planes import copy, is_full_range, layout, new_frame, tag, views
from nodes.types import Float, Image8

_VIDEO, _BT709 = 1, 1
_DISPLAY = ColourTags(SPACE_BT709, _VIDEO, _BT709, _BT709)
_FULL_444 = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_LOSSLESS_AS = {"rgb24": "bgr0", "bgr24": "bgr0", "rgb0": "bgr0", "gbrp": "bgr0", "rgba": "bgra", "gbrap": "bgra"}


def check_delivery(codec: Delivery, width: int, height: int, *, alpha: bool) -> None:
    """Raise OutputError for pictures that a codec cannot hold."""
    coding = CODECS[codec]
    if alpha and coding.alpha is None:
        raise OutputError(f"{coding.title} has no alpha", remedy="Use prores4444 or a sequence for what has")
    if width < coding.least[0] or height < coding.least[1]:
        least = f"{coding.least[0]}x{coding.least[1]}"
        raise OutputError(
            f"{coding.title} has no pictures of {width}x{height}; the least is {least}",
            remedy="Use prores4444 or a sequence",
        )
    if width % coding.group[0] or height % coding.group[1]:
        raise OutputError(
            f"{coding.title} has no pictures of an odd size, {width}x{height}", remedy="Use prores4444 or a sequence"
        )


def lossless_picture(frame: Frame | Image8, convert: VideoReformatter) -> av.VideoFrame:
    """Return the picture with every code value in a format that FFV1 takes; float becomes 16-bit sRGB.

    convert: reused from picture to picture, as in the other functions.
    """
    if not isinstance(frame, MovieFrame):
        array = frame if isinstance(frame, np.ndarray) else frame.rgb8()
        return convert.reformat(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24"), format="bgr0")
    name, tags = frame.picture.format.name, frame.info.tags
    target = _LOSSLESS_AS.get(name, name)
    if target.endswith("f32le"):
        target = "gbrap16le" if frame.info.has_alpha else "gbrp16le"
    elif name.startswith("yuvj"):  # yuv under another name, tagged as full range
        full = ColourTags(tags.space, RANGE_FULL, tags.primaries, tags.transfer)
        return copy(frame.picture, name.replace("j", ""), full)
    return copy(frame.picture) if target == name else convert.reformat(frame.picture, format=target)


def preview_picture(frame: Frame | Image8, convert: VideoReformatter) -> av.VideoFrame:
    """Return the picture at 8 bits and 4:2:0, odd sizes padded by repeating the edge."""
    even = isinstance(frame, MovieFrame) and frame.width % 2 == frame.height % 2 == 0
    if even and isinstance(frame, MovieFrame):
        picture, (space, source) = frame.picture, _coding_of(frame)
    else:
        array = frame.rgb8() if isinstance(frame, Frame) else frame
        array = np.pad(array, ((0, array.shape[0] % 2), (0, array.shape[1] % 2), (0, 0)), mode="edge")
        picture, space, source = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24"), SPACE_BT709, {}
    converted = convert.reformat(
        picture, format="yuv420p", dst_colorspace=SWS_MATRIX[space], dst_color_range=ColorRange.MPEG, **source
    )
    preview = copy(converted) if converted is picture else converted
    preview.pict_type = 0  # the coder chooses where key frames go, not the source
    tag(preview, ColourTags(space, _VIDEO, _BT709, _BT709))
    return preview


def delivered_picture(
    frame: Frame | Float, codec: Delivery, info: FootageInfo, convert: VideoReformatter
) -> av.VideoFrame:
    """Return the picture as an editing program's codec takes it, with its colour tags and, where the codec has it, its alpha.

    frame: a Frame, or display-referred pixels with straight alpha, float32 [H, W, 4] in 0..1.
    """
    coding = CODECS[codec]
    if isinstance(frame, np.ndarray):
        assert coding.alpha is not None
        return _from_rgb(frame[..., :3], frame[..., 3], coding.alpha, info)
    lay = frame.layout if isinstance(frame, MovieFrame) else None
    if isinstance(frame, MovieFrame) and lay is not None and lay.family == "yuv":
        space, source = _coding_of(frame)
        target = space if space in (coding.matrices or (space,)) else SPACE_BT709
        pixels = coding.pixels if lay.alpha is None else coding.alpha or coding.pixels
        picture = _reformat(frame.picture, pixels, target, convert, source)
        tags = frame.info.tags
        primaries = tags.primaries if tags.primaries != SPACE_UNSPECIFIED else space
        transfer = tags.transfer if tags.transfer != SPACE_UNSPECIFIED else _BT709
        tag(picture, ColourTags(target, _VIDEO, primaries if primaries in (1, 4, 5, 6, 7, 9) else _BT709, transfer))
        return picture
    if coding.alpha is not None and (alpha := frame.alpha()) is not None:
        return _from_rgb(_straight(frame, alpha), alpha, coding.alpha, info)
    picture = _from_rgb(np.ascontiguousarray(frame.rgb()), None, "yuv444p10le", info)
    if coding.pixels != "yuv444p10le":
        source = {"src_colorspace": SWS_MATRIX[SPACE_BT709], "src_color_range": ColorRange.MPEG}
        picture = _reformat(picture, coding.pixels, SPACE_BT709, convert, source)
        tag(picture, _DISPLAY)
    return picture


def _coding_of(frame: MovieFrame) -> tuple[int, dict[str, Any]]:
    """Return the matrix (H.273) to write a picture with, and swscale's options for its own coding; BT.709 and none for RGB."""
    lay = frame.layout
    if lay.family != "yuv":
        return SPACE_BT709, {}
    space = resolved_space(frame.info)
    full = is_full_range(lay, frame.info.tags)
    coding = {
        "src_colorspace": SWS_MATRIX[space],
        "src_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
    }
    return space, coding


def _straight(frame: Frame, alpha: Float) -> Float:
    """Return display-referred pixels not multiplied by alpha: as stored, but divided by alpha in scene-linear footage."""
    if frame.info.colour != "scene_linear":
        return frame.rgb()
    linear = frame.linear() / np.where(alpha > 0, alpha, 1)[..., None]
    return from_linear(np.ascontiguousarray(linear, np.float32), "srgb", exact=True)


def _reformat(
    picture: av.VideoFrame, pixels: str, space: int, convert: VideoReformatter, source: dict[str, Any]
) -> av.VideoFrame:
    converted = convert.reformat(
        picture,
        format=pixels,
        dst_colorspace=SWS_MATRIX[space],
        dst_color_range=ColorRange.MPEG,
        interpolation=_FULL_444,
        **source,
    )
    converted = copy(converted) if converted is picture else converted
    converted.pict_type = 0  # the coder chooses where key frames go, not the source
    return converted


def _from_rgb(rgb: Float, alpha: Float | None, pixels: str, info: FootageInfo) -> av.VideoFrame:
    lay = layout(pixels)
    assert lay is not None
    height, width = rgb.shape[:2]
    picture = new_frame(pixels, width, height, _DISPLAY)
    like = FootageInfo(info.path, width, height, info.rate, info.frames, tags=_DISPLAY)
    codes = transform(np.ascontiguousarray(np.clip(rgb, 0, 1)), rgb_to_yuv(like, lay))
    planes = views(picture)
    for i in range(3):
        planes[i][...] = np.clip(codes[..., i] + np.float32(0.5), 0, lay.white)
    if alpha is not None:
        planes[3][...] = np.clip(alpha, 0, 1) * np.float32(lay.white) + np.float32(0.5)
    return picture
