"""Patches and mattes survive the trip through their files."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from nodes.errors import FootageError, OutputError
from nodes.footage.patch_files import EMPTY, half_rounded, read_matte, read_patch, write_matte, write_patch
from nodes.types import Patch, Roi

PLACE = Roi(30, 20, 94, 68)


def a_patch(roi: Roi = PLACE) -> Patch:
    rgba = np.random.default_rng(1).random((roi.height, roi.width, 4), np.float32).astype(np.float16)
    rgba[..., :3] *= 3  # scene-linear light goes beyond 1
    return Patch(7, roi, rgba.astype(np.float32))


def test_a_patch_reads_back_as_it_was_to_half_precision(tmp_path: Path) -> None:
    patch = a_patch()
    write_patch(tmp_path / "patch.0007.exr", patch, 320, 180)
    found = read_patch(tmp_path / "patch.0007.exr")
    assert (found.roi, found.frame) == (patch.roi, 7)
    np.testing.assert_array_equal(found.rgba, patch.rgba)


def test_rounding_to_half_floats_is_that_of_ieee_754_for_every_half_float_what_lies_between_and_beside() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    halves = np.sort(halves[np.isfinite(halves)])
    between = (halves[1:].astype(np.float64) + halves[:-1]) / 2  # ties; exact in float32
    values = np.concatenate([halves, between.astype(np.float32), np.float32([-0.0, 0.0, 1e-40, -1e-40, 1e9, -1e9])])
    beside = [np.nextafter(values, np.float32(side)) for side in (-np.inf, np.inf)]
    values = np.concatenate([values, *beside])
    expected = np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)
    assert np.array_equal(half_rounded(values).view(np.uint32), expected.view(np.uint32))


def test_the_data_window_is_the_region_and_the_display_window_the_frame(tmp_path: Path) -> None:
    write_patch(tmp_path / "patch.exr", a_patch(), 320, 180)
    image = oiio.ImageInput.open(str(tmp_path / "patch.exr"))
    spec = image.spec()
    image.close()
    assert (spec.x, spec.y, spec.width, spec.height) == (30, 20, 64, 48)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (0, 0, 320, 180)
    assert spec.channelnames == ("R", "G", "B", "A")
    assert str(spec.format) == "half"


def test_a_frame_without_a_face_has_a_valid_file_that_reads_back_as_empty(tmp_path: Path) -> None:
    empty = Patch(3, Roi(0, 0, 0, 0), np.zeros((0, 0, 4), np.float32))
    write_patch(tmp_path / "patch.exr", empty, 320, 180)
    found = read_patch(tmp_path / "patch.exr")
    assert found.roi.empty
    assert found.rgba.shape == (0, 0, 4)
    assert found.frame == 3
    write_matte(tmp_path / "matte.exr", np.zeros((0, 0), np.float32), empty.roi, 320, 180)
    np.testing.assert_array_equal(read_matte(tmp_path / "matte.exr"), np.zeros((180, 320)))


def test_a_matte_reads_back_over_the_whole_frame(tmp_path: Path) -> None:
    patch = a_patch()
    write_matte(tmp_path / "matte.exr", patch.rgba[..., 3], patch.roi, 320, 180)
    found = read_matte(tmp_path / "matte.exr")
    expected = np.zeros((180, 320), np.float32)
    expected[patch.roi.slices] = patch.rgba[..., 3]
    np.testing.assert_array_equal(found, expected)


def test_a_region_that_sticks_out_of_the_frame_keeps_its_place(tmp_path: Path) -> None:
    patch = a_patch(Roi(-10, -4, 22, 12))
    write_patch(tmp_path / "patch.exr", patch, 64, 36)
    assert read_patch(tmp_path / "patch.exr").roi == patch.roi
    write_matte(tmp_path / "matte.exr", patch.rgba[..., 3], patch.roi, 64, 36)
    np.testing.assert_array_equal(read_matte(tmp_path / "matte.exr")[:12, :22], patch.rgba[4:, 10:, 3])


def test_light_beyond_half_float_is_clipped_not_made_infinite(tmp_path: Path) -> None:
    write_patch(tmp_path / "patch.exr", Patch(0, Roi(0, 0, 2, 2), np.full((2, 2, 4), 1e6, np.float32)), 4, 4)
    assert np.isfinite(read_patch(tmp_path / "patch.exr").rgba).all()


def test_an_artists_eight_bit_matte_reads_as_coverage(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[1, 2] = 255
    output = oiio.ImageOutput.create(str(tmp_path / "roto.png"))
    output.open(str(tmp_path / "roto.png"), oiio.ImageSpec(6, 4, 3, "uint8"))
    output.write_image(pixels)
    output.close()
    found = read_matte(tmp_path / "roto.png")
    assert found[1, 2] == 1
    assert found.sum() == 1


def test_a_file_that_is_no_patch_is_refused_by_name(tmp_path: Path) -> None:
    write_matte(tmp_path / "matte.exr", np.ones((4, 4), np.float32), Roi(0, 0, 4, 4), 4, 4)
    with pytest.raises(FootageError, match=r"matte\.exr.*R, G, B and A"):
        read_patch(tmp_path / "matte.exr")
    with pytest.raises(FootageError, match=r"none\.exr.*does not exist"):
        read_patch(tmp_path / "none.exr")
    (tmp_path / "text.exr").write_text("not an image")
    with pytest.raises(FootageError, match=r"text\.exr"):
        read_patch(tmp_path / "text.exr")


def test_a_patch_cut_off_in_copying_is_refused(tmp_path: Path) -> None:
    write_patch(tmp_path / "patch.exr", a_patch(), 320, 180)
    data = (tmp_path / "patch.exr").read_bytes()
    (tmp_path / "patch.exr").write_bytes(data[: len(data) // 2])
    with pytest.raises(FootageError, match=r"patch\.exr"):
        read_patch(tmp_path / "patch.exr")


def test_a_folder_that_cannot_be_written_is_an_output_error_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands here")
    with pytest.raises(OutputError):
        write_patch(tmp_path / "out" / "patch.exr", a_patch(), 320, 180)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        probe = locked / "probe"
        try:
            probe.touch()
        except OSError:
            with pytest.raises(OutputError, match="permission denied"):
                write_patch(locked / "patch.exr", a_patch(), 320, 180)
            assert not list(locked.iterdir())
        else:
            probe.unlink()  # the administrator may write anywhere
    finally:
        locked.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("roi", [Roi(3, 2, 9, 7), Roi(-2, -1, 4, 4), Roi(30, 20, 36, 25), EMPTY])
def test_a_patch_in_a_whole_frame_has_the_same_pixels_and_zeros_around_them(tmp_path: Path, roi: Roi) -> None:
    rgba = np.random.default_rng(1).random((roi.height, roi.width, 4)).astype(np.float32)
    write_patch(tmp_path / "whole.exr", Patch(7, roi, rgba), 32, 24, whole=True)
    seen = read_patch(tmp_path / "whole.exr")
    assert (seen.frame, seen.roi) == (7, Roi(0, 0, 32, 24))
    expected = np.zeros((24, 32, 4), np.float32)
    if not roi.empty:
        inside = Roi(max(roi.x0, 0), max(roi.y0, 0), min(roi.x1, 32), min(roi.y1, 24))
        expected[inside.slices] = rgba.astype(np.float16)[inside.within(roi)]
    np.testing.assert_array_equal(seen.rgba, expected)
