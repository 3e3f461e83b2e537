"""A patch changes a picture where its alpha is, by as much as it should, and nowhere else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from nodes.footage.frame import MovieFrame
from nodes.footage.info import ColourTags, FootageInfo
from nodes.footage.planes import layout, native_format, new_frame, views
from nodes.types import Patch, Roi

FORMATS = [
    "yuv420p", "yuvj420p", "yuv422p", "yuv440p", "yuv444p", "yuv411p", "yuv420p10le", "yuv422p10le", "yuv444p12le",
    "yuv420p16le", "yuva420p", "yuva444p10le", "gbrp", "gbrp10le", "gbrap", "rgb24", "bgr0", "rgba", "rgb48le", "gray", "gray10le",
]  # fmt: skip
HD = ColourTags(1, 1, 1, 1)
SIZES = [(160, 120), (101, 75)]


def plate(name: str, size: tuple[int, int], tags: ColourTags = HD) -> MovieFrame:
    """Make a picture of random codes, so that any careless touch shows."""
    picture = new_frame(name, *size, tags)
    random = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(random.random((size[1] + 8, size[0] + 8), np.float32), (0, 0), 3)
    smooth = cv2.normalize(smooth, None, 0.2, 0.8, cv2.NORM_MINMAX)
    for i, view in enumerate(views(picture)):
        top = 1023 if "10" in name else 4095 if "12" in name else 255 if view.dtype == np.uint8 else 65535
        part = smooth[i : i + view.shape[0], i : i + view.shape[1]] + random.normal(0, 0.02, (*view.shape[:2],))
        view[...] = (part if view.ndim == 2 else part[..., None]) * top
    lay = layout(name)
    assert lay is not None
    info = FootageInfo(Path("plate"), *size, Fraction(24), 1, 0, lay.bits, pixel_format=name, tags=tags)
    return MovieFrame(0, info, picture)


def a_patch(roi: Roi) -> Patch:
    """Make an opaque ellipse with a soft edge."""
    y, x = np.mgrid[: roi.height, : roi.width].astype(np.float32)
    alpha = np.clip(3 - 3 * np.hypot((y + 0.5) / roi.height * 2 - 1, (x + 0.5) / roi.width * 2 - 1), 0, 1)
    colour = np.dstack([0.2 + x / roi.width / 3, 0.3 + y / roi.height / 4, alpha * 0 + 0.15])
    return Patch(0, roi, np.dstack([colour * alpha[..., None], alpha]).astype(np.float32))


def full_alpha(patch: Patch, frame: MovieFrame) -> np.ndarray:
    alpha = np.zeros((frame.height + 400, frame.width + 400), np.float32)
    alpha[200 + patch.roi.y0 : 200 + patch.roi.y1, 200 + patch.roi.x0 : 200 + patch.roi.x1] = patch.rgba[..., 3]
    return alpha[200 : 200 + frame.height, 200 : 200 + frame.width]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FORMATS)
def test_what_lies_outside_alpha_keeps_its_codes_and_its_look(name: str, size: tuple[int, int]) -> None:
    frame = plate(name, size)
    for roi in (Roi(31, 21, 92, 70), Roi(-20, -10, 50, 41), Roi(60, 40, 150, 140)):
        patch = a_patch(roi)
        after = frame.over(patch)
        outside = full_alpha(patch, frame) == 0
        for i, (old, new) in enumerate(zip(views(frame.picture), views(after.picture), strict=True)):
            if old.shape[:2] == outside.shape:
                np.testing.assert_array_equal(new[outside], old[outside])
            if "a" in name.removeprefix("gray") and old.ndim == 2 and i == 3:
                np.testing.assert_array_equal(new, old)
        np.testing.assert_array_equal(after.rgb8()[outside], frame.rgb8()[outside])
        np.testing.assert_array_equal(after.rgb()[outside], frame.rgb()[outside])
        # On odd sizes swscale stretches chroma a little, and a bicubic tap reaches one sample further.
        kinds = [Interpolation.BILINEAR] + [Interpolation.BICUBIC] * (size[0] % 2 == 0)
        for kind in kinds:
            flags = kind | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
            looks = [f.picture.reformat(format="rgb48le", interpolation=flags).to_ndarray() for f in (frame, after)]
            np.testing.assert_array_equal(looks[1][outside], looks[0][outside])


@pytest.mark.parametrize("name", FORMATS)
def test_an_opaque_patch_is_seen_as_it_is(name: str) -> None:
    frame, patch = plate(name, (160, 120)), a_patch(Roi(31, 21, 132, 110))
    after = frame.over(patch)
    solid = cv2.erode((patch.rgba[..., 3] == 1).astype(np.uint8), np.ones((9, 9)), borderValue=0) > 0
    seen, expected = after.linear(patch.roi)[solid], patch.rgba[solid][:, :3]
    if "gray" in name:
        expected = np.repeat(expected @ np.array([[0.2126], [0.7152], [0.0722]], np.float32), 3, axis=1)
    assert np.abs(seen - expected).max() < 0.02
    assert np.abs(seen - expected).mean() < 0.004


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("alpha", [1e-6, 0.3, 1.0])
def test_where_a_patch_shows_the_plate_itself_nothing_changes(name: str, alpha: float) -> None:
    frame, roi = plate(name, (101, 75)), Roi(20, 11, 81, 60)
    same = np.dstack([frame.linear(roi) * alpha, np.full((roi.height, roi.width), alpha, np.float32)])
    changed = [
        np.abs(new.astype(int) - old).max()
        for old, new in zip(
            views(frame.picture), views(frame.over(Patch(0, roi, same.astype(np.float32))).picture), strict=True
        )
    ]
    # An opaque copy of the plate goes through linear light and, where chroma is subsampled or out of gamut, loses a little.
    assert max(changed) == 0 or (alpha > 1e-3 and "yuv" in name) or "16" in name or "48" in name


def test_a_half_transparent_patch_mixes_light_not_codes() -> None:
    frame = plate("gbrp", (64, 48))
    for view in views(frame.picture):
        view[...] = 0
    white = Patch(0, Roi(10, 10, 30, 30), np.full((20, 20, 4), 0.5, np.float32))
    assert frame.over(white).rgb8()[20, 20].tolist() == [188] * 3


def test_the_plate_is_not_touched_and_an_empty_patch_is_the_plate() -> None:
    frame = plate("yuv420p", (64, 48))
    before = [v.copy() for v in views(frame.picture)]
    frame.over(a_patch(Roi(0, 0, 64, 48)))
    for old, new in zip(before, views(frame.picture), strict=True):
        np.testing.assert_array_equal(old, new)
    assert frame.over(Patch(0, Roi(0, 0, 0, 0), np.zeros((0, 0, 4), np.float32))) is frame
    assert frame.over(Patch(0, Roi(100, 100, 110, 110), np.ones((10, 10, 4), np.float32))) is frame


def test_other_formats_become_ones_that_hold_them() -> None:
    expected = {
        "nv12": "yuv420p", "p010le": "yuv420p10le", "yuyv422": "yuv422p", "yuv422p10be": "yuv422p10le", "pal8": "rgba",
        "argb": "rgba", "ya8": "rgba", "x2rgb10le": "gbrp10le", "xyz12le": "gbrp12le", "y210le": "yuv422p10le",
        "p016le": "yuv420p16le", "gray10be": "gray10le", "monob": "gray", "bayer_rggb16le": "gbrp16le", "rgb565le": "rgb24",
    }  # fmt: skip
    assert {name: native_format(name) for name in expected} == expected
    for name in set(expected.values()):
        assert av.VideoFormat(name, 8, 8).name == name
