"""Overlays: laid over the plate's code values they give Faceplate's composite, and nothing outside of the matte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from nodes.footage.footage import open_footage
from nodes.footage.images import read_window, write_image
from nodes.footage.patch_files import read_patch, write_patch
from nodes.shot.layers import overlay, write_overlays
from nodes.types import Patch, Roi


def scene(folder: Path, kind: str) -> tuple[Path, Path]:
    """Two frames with highlights and shadows as files of a kind, and a shot's folder with a soft patch for each."""
    random = np.random.default_rng(4)
    for number in (7, 8):
        picture = np.kron(random.uniform(0, 1, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.float32)
        picture[:8], picture[8:16] = 0, 1
        if kind == "exr":
            pixels, form = (picture**2.2 * 3).astype(np.float32), oiio.FLOAT
        else:
            top = 255 if kind == "8" else 65535
            pixels, form = np.rint(picture * top).astype("u1" if top == 255 else "u2"), None
            form = oiio.UINT8 if top == 255 else oiio.UINT16
        file = folder / "plate" / f"plate.{number:04d}.{'exr' if kind == 'exr' else 'png'}"
        file.parent.mkdir(exist_ok=True)
        write_image(file, pixels, oiio.ImageSpec(64, 48, 3, form))
        y, x = np.mgrid[:40, :44].astype(np.float32)
        alpha = np.clip(1.6 - np.hypot((x - 22) / 15, (y - 20) / 14), 0, 1)
        colour = np.dstack([np.full_like(alpha, v) for v in (0.9, 0.2, 0.02)]) * (x[..., None] / 44)
        patch = Patch(number, Roi(10, 4, 54, 44), np.dstack([colour * alpha[..., None], alpha]).astype(np.float32))
        write_patch(folder / "patch" / f"patch.{number:04d}.exr", patch, 64, 48)
    return folder / "plate", folder


@pytest.mark.parametrize("kind", ["8", "16", "exr"])
def test_laid_over_the_plates_codes_they_give_the_composite_and_leave_the_rest_alone(kind: str, tmp_path: Path) -> None:
    plate, folder = scene(tmp_path, kind)
    with open_footage(plate) as footage:
        pattern = write_overlays(folder, footage, 0, 1)
        for frame in footage.frames():
            number = 7 + frame.index
            patch = read_patch(folder / "patch" / f"patch.{number:04d}.exr")
            alpha = np.zeros((48, 64), np.float32)
            alpha[patch.roi.slices] = patch.rgba[..., 3]
            spec, pixels = read_window(pattern.with_name(pattern.name.replace("%04d", f"{number:04d}")))
            assert (spec.width, spec.height, spec.full_width, spec.full_height) == (64, 48, 64, 48)
            assert pixels.dtype == {"8": np.uint8, "16": np.uint16, "exr": np.float16}[kind]
            laid = pixels.astype(np.float32)
            if kind == "exr":
                share = np.where(laid[..., 3:] > 0, laid[..., 3:], 1)
                encode = np.vectorize(lambda v: v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)
                laid[..., :3] = encode(laid[..., :3] / share)
            else:
                laid /= 255 if kind == "8" else 65535
            coverage, before, after = laid[..., 3:], frame.rgb(), frame.over(patch).rgb()
            assert np.array_equal(coverage[..., 0] > 0, alpha > 0)
            assert (coverage[..., 0] >= alpha - 1 / 65535 - 2**-11).all()
            blended = laid[..., :3] * coverage + before * (1 - coverage)
            bound = {"8": 1.02 / 255, "16": 2e-4, "exr": 4e-3}[kind]
            assert np.abs(blended - after).max() < bound
            if kind != "exr":  # unseen, but mixed in by whoever scales the picture
                edge = (alpha == 0) & (np.roll(alpha, 3, 0) > 0)
                assert edge.any() and np.abs(laid[edge][:, :3] - before[edge]).max() < 0.51 / 255


def test_a_frame_without_a_face_has_an_empty_overlay(tmp_path: Path) -> None:
    plate, folder = scene(tmp_path, "8")
    empty = Patch(7, Roi(0, 0, 0, 0), np.zeros((0, 0, 4), np.float32))
    write_patch(folder / "patch" / "patch.0007.exr", empty, 64, 48)
    with open_footage(plate) as footage:
        pattern = write_overlays(folder, footage, 0, 0)
    _, pixels = read_window(pattern.with_name("overlay.0007.png"))
    assert pixels.shape == (48, 64, 4) and not pixels.any()
    assert not pattern.with_name("overlay.0008.png").exists()


def test_the_coverage_grows_only_where_the_colour_could_not_be_shown() -> None:
    plate = np.full((1, 2, 3), 0.5, np.float32)
    composite = plate.copy()
    composite[0, 0], composite[0, 1] = 0.55, 0.9
    alpha = np.array([[0.25, 0.25]], np.float32)
    colour, coverage = overlay(plate, composite, alpha)
    assert coverage[0, 0] == 0.25
    assert abs(coverage[0, 1] - 0.8) < 1e-5
    assert np.allclose(colour * coverage[..., None] + plate * (1 - coverage[..., None]), composite, atol=1e-6)
