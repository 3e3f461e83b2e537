"""Image sequences are read at their own depth, refused when broken, and written so that they read back the same."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from host_bridge.jobs.footage import opened
from nodes.errors import FootageError, OutputError
from nodes.footage.footage import open_footage
from nodes.footage.formats import IMAGES, ImageFormat
from nodes.footage.probe import timecode_in
from nodes.footage.sequence import SequenceWriter
from nodes.types import Patch, Roi

W, H = 64, 48


def save(path: Path, pixels: np.ndarray, **attributes: Any) -> None:
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], KINDS[pixels.dtype.name])
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(pixels), output.geterror()
    output.close()


KINDS = {"uint8": oiio.UINT8, "uint16": oiio.UINT16, "float16": oiio.HALF, "float32": oiio.FLOAT}


def picture(kind: str, channels: int = 3, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).random((H, W, channels), np.float32)
    if kind.startswith("float"):
        return (values * 2).astype(kind)
    return (values * np.iinfo(kind).max).astype(kind)


def a_patch(roi: Roi) -> Patch:
    y, x = np.mgrid[: roi.height, : roi.width]
    alpha = np.clip(1.3 - np.hypot(y / roi.height * 2 - 1, x / roi.width * 2 - 1), 0, 1)
    alpha = np.minimum(alpha * 4, 1)
    return Patch(0, roi, np.dstack([alpha * 0.6, alpha * 0.3, alpha * 0.1, alpha]).astype(np.float32))


FORMATS = [
    ("png", "uint8", 3),
    ("png", "uint16", 4),
    ("tif", "uint8", 4),
    ("tif", "uint16", 3),
    ("tif", "float32", 3),
    ("exr", "float16", 4),
    ("exr", "float32", 3),
    ("dpx", "uint16", 3),
    ("png", "uint8", 1),
]


@pytest.mark.parametrize(("suffix", "kind", "channels"), FORMATS)
def test_what_is_written_again_has_the_same_code_values(tmp_path: Path, suffix: str, kind: str, channels: int) -> None:
    pixels = picture(kind, channels)
    save(tmp_path / f"in.0009.{suffix}", pixels, oiio__UnassociatedAlpha=1)
    with open_footage(tmp_path / f"in.%04d.{suffix}") as clip:
        assert clip.info.first == 9
        assert clip.info.is_float == kind.startswith("float")
        assert clip.info.has_alpha == (channels == 4)
        with SequenceWriter(tmp_path / "out" / f"out.####.{suffix}", clip.info) as writer:
            writer.write(clip.frame(0))
        np.testing.assert_array_equal(clip.frame(0).pixels, pixels)  # type: ignore[attr-defined]
    again = open_footage(tmp_path / "out")
    np.testing.assert_array_equal(again.frame(0).pixels, pixels)  # type: ignore[attr-defined]
    assert [p.name for p in (tmp_path / "out").iterdir()] == [f"out.0009.{suffix}"]


@pytest.mark.parametrize(("suffix", "kind", "channels"), FORMATS)
def test_a_patch_leaves_everything_outside_its_alpha_alone(
    tmp_path: Path, suffix: str, kind: str, channels: int
) -> None:
    save(tmp_path / f"in.1.{suffix}", picture(kind, channels), oiio__UnassociatedAlpha=1)
    frame = open_footage(tmp_path / f"in.%d.{suffix}").frame(0)
    patch = a_patch(Roi(10, 8, 50, 40))
    after = frame.over(patch)
    alpha = np.zeros((H, W), np.float32)
    alpha[patch.roi.slices] = patch.rgba[..., 3]
    old, new = frame.pixels, after.pixels  # type: ignore[attr-defined]
    np.testing.assert_array_equal(new[alpha == 0], old[alpha == 0])
    if channels == 4:
        np.testing.assert_array_equal(new[..., 3], old[..., 3])
    if channels > 1:
        opaque = patch.rgba[..., 3] == 1
        expected = patch.rgba[opaque][:, :3]
        assert np.abs(after.linear(patch.roi)[opaque] - expected).max() < (0.005 if kind == "uint8" else 1e-3)
    nothing = frame.over(Patch(0, patch.roi, patch.rgba * 1e-9))
    slack = 2e-6 if kind == "float32" else 0  # no rounding hides 1e-9 in a float
    np.testing.assert_allclose(nothing.pixels, old, rtol=0, atol=slack)  # type: ignore[attr-defined]


def test_exr_is_scene_linear_and_png_is_srgb(tmp_path: Path) -> None:
    save(tmp_path / "a.exr", np.full((4, 4, 3), 0.5, np.float32))
    save(tmp_path / "a.png", np.full((4, 4, 3), 188, np.uint8))
    exr, png = open_footage(tmp_path / "a.exr").frame(0), open_footage(tmp_path / "a.png").frame(0)
    assert exr.linear()[0, 0, 0] == pytest.approx(0.5)
    assert exr.rgb()[0, 0, 0] == pytest.approx(0.7354, abs=1e-3)
    assert exr.rgb8()[0, 0, 0] == 188
    assert png.linear()[0, 0, 0] == pytest.approx(0.5029, abs=1e-3)
    assert png.rgb8()[0, 0, 0] == 188


def test_log_dpx_is_decoded_as_cineon(tmp_path: Path) -> None:
    save(tmp_path / "a.dpx", np.full((4, 4, 3), round(685 / 1023 * 65535), np.uint16), oiio__ColorSpace="KodakLog")
    clip = open_footage(tmp_path / "a.dpx")
    assert clip.info.colour == "log"
    assert clip.frame(0).linear()[0, 0, 0] == pytest.approx(1, abs=2e-3)


def test_ten_bit_dpx_keeps_its_codes_outside_the_patch(tmp_path: Path) -> None:
    codes = np.random.default_rng(3).integers(0, 1024, (H, W, 3)).astype(np.uint16)
    save(tmp_path / "a.1.dpx", codes << 6 | codes >> 4, oiio__BitsPerSample=10)
    clip = open_footage(tmp_path / "a.%d.dpx")
    assert clip.info.bit_depth == 10
    with SequenceWriter(tmp_path / "b.%d.dpx", clip.info) as writer:
        writer.write(clip.frame(0))
    again = open_footage(tmp_path / "b.%d.dpx")
    assert again.info.bit_depth == 10
    np.testing.assert_array_equal(again.frame(0).pixels, clip.frame(0).pixels)  # type: ignore[attr-defined]


@pytest.mark.parametrize("rate", [24, 30, 48, 60, 120])
def test_rates_in_headers_are_the_broadcast_rates_that_they_are_spelt_for(tmp_path: Path, rate: int) -> None:
    exact = Fraction(rate * 1000, 1001)
    for i, spelt in enumerate((round(float(exact), 3), round(float(exact), 2), float(exact), float(rate))):
        save(tmp_path / f"{i}.dpx", picture("uint16"), dpx__FrameRate=spelt)
        assert open_footage(tmp_path / f"{i}.dpx").info.rate == (rate if spelt == rate else exact)
    for i, pair in enumerate(
        ((rate * 1000, 1001), (round(float(exact) * 1000), 1000), (round(float(exact) * 100), 100))
    ):
        spec = oiio.ImageSpec(W, H, 3, oiio.HALF)
        spec.attribute("FramesPerSecond", oiio.TypeDesc("rational2i"), pair)
        output = oiio.ImageOutput.create(str(tmp_path / f"{i}.exr"))
        assert output.open(str(tmp_path / f"{i}.exr"), spec) and output.write_image(picture("float16"))
        output.close()
        assert open_footage(tmp_path / f"{i}.exr").info.rate == exact


def test_a_missing_number_is_named(tmp_path: Path) -> None:
    for n in (1, 2, 4):
        save(tmp_path / f"a.{n:04d}.png", picture("uint8"))
    with pytest.raises(FootageError, match="frame 3: is missing"):
        open_footage(tmp_path / "a.%04d.png")
    with pytest.raises(FootageError, match="frame 3: is missing"):
        open_footage(tmp_path)


@pytest.mark.parametrize(("names", "pattern", "first"), [
    (["shot.-0002.png", "shot.-0001.png", "shot.0000.png", "shot.0001.png"], "shot.%04d.png", -2),  # Houdini, Maya
    (["shot.-002.png", "shot.-001.png", "shot.0000.png", "shot.0001.png"], "shot.####.png", -2),  # printf, Nuke
    (["shot_-0011.png", "shot_-0010.png", "shot_-0009.png"], "shot_%04d.png", -11),
    (["shot.-0011.png", "shot.-0010.png", "shot.-0009.png"], "shot.-%04d.png", -11),
    (["-0001.png", "0000.png", "0001.png"], "%04d.png", -1),
    (["-12.png", "-11.png", "-10.png", "-9.png"], "%d.png", -12),
    (["max-0001.png", "max0000.png", "max0001.png"], "max%04d.png", -1),  # 3ds Max
    (["shot-0010.png", "shot-0011.png"], "shot-%04d.png", 10),
    (["2024-05-01.png", "2024-05-02.png"], "2024-05-%02d.png", 1),
])  # fmt: skip
def test_frames_before_0_come_before_it(tmp_path: Path, names: list[str], pattern: str, first: int) -> None:
    for i, name in enumerate(names):
        save(tmp_path / name, np.full((8, 8, 3), i, np.uint8))
    for path in (tmp_path / pattern, *([] if name.startswith("max") else [tmp_path])):
        clip = open_footage(path)
        assert clip.info.first == first
        assert [int(f.rgb8()[0, 0, 0]) for f in clip.frames()] == list(range(len(names)))


def test_a_hole_at_0_and_two_files_of_one_number_are_named(tmp_path: Path) -> None:
    for name in ("a.-0001.png", "a.0001.png"):
        save(tmp_path / name, picture("uint8"))
    with pytest.raises(FootageError, match=r"frame 0: is missing from the sequence -1-1"):
        open_footage(tmp_path / "a.%04d.png")
    save(tmp_path / "a.-001.png", picture("uint8"))
    with pytest.raises(FootageError, match=r"frame -1: there are two images of one number, a.-0001.png and a.-001.png"):
        open_footage(tmp_path)


def test_results_of_frames_before_0_are_found_again(tmp_path: Path) -> None:
    for i in range(-2, 2):
        save(tmp_path / f"in.{i:05d}.png", np.full((8, 8, 3), i + 2, np.uint8))
    clip = open_footage(tmp_path)
    with SequenceWriter(tmp_path / "out" / "out.%04d.png", clip.info) as writer:
        for frame in clip.frames():
            writer.write(frame)
    again = open_footage(tmp_path / "out" / "out.%04d.png")
    assert (again.info.first, again.info.frames) == (-2, 4)
    assert [int(f.rgb8()[0, 0, 0]) for f in again.frames()] == [0, 1, 2, 3]


def test_a_folder_must_hold_exactly_one_sequence(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="no image files"):
        open_footage(tmp_path)
    for n in range(3):
        save(tmp_path / f"a.{n:04d}.png", picture("uint8", seed=n))
    (tmp_path / ".a.0000.part.png").write_text("someone is writing")
    (tmp_path / "notes.txt").write_text("not an image")
    assert open_footage(tmp_path).info.frames == 3
    save(tmp_path / "b.0000.png", picture("uint8"))
    with pytest.raises(FootageError, match="2 sequences"):
        open_footage(tmp_path)


def test_a_folder_has_no_timecode_of_its_own(tmp_path: Path) -> None:
    save(tmp_path / "a.0001.png", picture("uint8"))
    assert timecode_in(tmp_path) is None and timecode_in(tmp_path / "a.%04d.png") is None


def test_frames_come_in_order_and_one_by_one_the_same(tmp_path: Path) -> None:
    for n in range(95, 105):  # the number grows a digit on the way
        save(tmp_path / f"a.{n}.png", picture("uint8", seed=n))
    clip = open_footage(tmp_path / "a.%d.png", rate=Fraction(24000, 1001))
    assert (clip.info.first, clip.info.frames, clip.info.rate) == (95, 10, Fraction(24000, 1001))
    for index, frame in enumerate(clip.frames()):
        np.testing.assert_array_equal(frame.rgb8(), picture("uint8", seed=95 + index))
        np.testing.assert_array_equal(clip.frame(index).rgb8(), frame.rgb8())
    assert [f.index for f in clip.frames(3, 5)] == [3, 4, 5]


def test_a_damaged_image_and_one_of_another_size_are_named(tmp_path: Path) -> None:
    for n in range(1, 4):
        save(tmp_path / f"a.{n:04d}.exr", picture("float16", seed=n))
    data = (tmp_path / "a.0002.exr").read_bytes()
    (tmp_path / "a.0002.exr").write_bytes(data[: len(data) // 3])
    frames = open_footage(tmp_path / "a.%04d.exr").frames()
    next(frames)
    with pytest.raises(FootageError, match=r"a\.0002\.exr, frame 2"):
        next(frames)
    save(tmp_path / "a.0002.exr", picture("float16")[:, :32])
    with pytest.raises(FootageError, match=r"a\.0002\.exr, frame 2: is 32x48"):
        list(open_footage(tmp_path / "a.%04d.exr").frames())


def test_a_data_window_is_placed_in_the_frame(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(8, 6, 3, oiio.HALF)
    spec.x, spec.y, spec.full_width, spec.full_height = 4, 3, W, H
    output = oiio.ImageOutput.create(str(tmp_path / "a.exr"))
    output.open(str(tmp_path / "a.exr"), spec)
    output.write_image(np.ones((6, 8, 3), np.float16))
    output.close()
    clip = open_footage(tmp_path / "a.exr")
    assert (clip.info.width, clip.info.height) == (W, H)
    expected = np.zeros((H, W), np.float32)
    expected[3:9, 4:12] = 1
    np.testing.assert_array_equal(clip.frame(0).linear()[..., 0], expected)


BEAUTY, OTHER = picture("float16", 4, 1), picture("float16", 3, 2)
RGBA = ("R", "G", "B", "A")


def save_layers(path: Path, *parts: tuple[str, np.ndarray, tuple[str, ...]]) -> None:
    specs = []
    for name, _, channels in parts:
        spec = oiio.ImageSpec(W, H, len(channels), oiio.HALF)
        spec.channelnames = channels
        if name:
            spec.attribute("oiio:subimagename", name)
        specs.append(spec)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), tuple(specs)), output.geterror()
    for i, (_, pixels, _) in enumerate(parts):
        assert i == 0 or output.open(str(path), specs[i], "AppendSubimage"), output.geterror()
        assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    output.close()


def named(layer: str, channels: str) -> tuple[str, ...]:
    return tuple(f"{layer}.{c}" for c in channels)


BOTH = np.dstack([OTHER, BEAUTY])
DEPTH = OTHER[..., :1]


@pytest.mark.parametrize(("parts", "layer"), [
    ([("", BOTH, (*named("N", "XYZ"), *named("beauty", "RGBA")))], "beauty"),
    ([("", BOTH, (*named("albedo", "RGB"), *RGBA))], ""),
    ([("", BOTH, (*named("ViewLayer.Normal", "XYZ"), *named("ViewLayer.Combined", "RGBA")))], "ViewLayer.Combined"),
    ([("", BOTH, (*named("crypto00", "rgb"), *named("hero", "rgba")))], "hero"),
    ([("", BEAUTY, named("C", "rgba"))], "C"),
    ([("", BEAUTY, ("red", "green", "blue", "alpha"))], ""),
    ([("depth", DEPTH, ("Z",)), ("rgba", BEAUTY, RGBA)], "rgba"),
    ([("normals", OTHER, ("R", "G", "B")), ("beauty", BEAUTY, RGBA)], "beauty"),
    ([("Z", DEPTH, ("Y",)), ("ViewLayer.Combined", BEAUTY, named("ViewLayer.Combined", "RGBA"))], "ViewLayer.Combined"),
    ([("depth", DEPTH, ("Z",)), ("key", BEAUTY, RGBA), ("fill", OTHER, ("R", "G", "B"))], None),
    ([("depth", DEPTH, ("Z",)), ("normal", OTHER, ("R", "G", "B"))], None),
    ([("", OTHER, ("X", "Y", "Z"))], None),
    ([("", OTHER, ("BY", "RY", "Y"))], None),
])  # fmt: skip
def test_the_picture_is_found_in_any_layer_and_part_or_asked_for(
    tmp_path: Path, parts: list[tuple[str, np.ndarray, tuple[str, ...]]], layer: str | None
) -> None:
    save_layers(tmp_path / "a.0007.exr", *parts)
    if layer is None:
        with pytest.raises(FootageError, match=r"frame 7: (has no picture|holds . layers?).*(--layer|Render)"):
            open_footage(tmp_path)
        return
    clip = open_footage(tmp_path)
    assert (clip.info.layer, clip.info.has_alpha) == (layer, True)
    np.testing.assert_array_equal(clip.frame(0).linear(), BEAUTY[..., :3].astype(np.float32))
    np.testing.assert_array_equal(clip.frame(0).alpha(), BEAUTY[..., 3].astype(np.float32))
    assert any("depth" in note or "normals" in note for note in clip.info.notes) == (len(parts) > 1 and layer[0] != "V")


def test_a_layer_is_chosen_by_its_name_and_the_others_of_its_part_are_kept(tmp_path: Path) -> None:
    save_layers(tmp_path / "a.0007.exr", ("", BOTH, (*named("left.key", "RGB"), *named("left.fill", "RGBA"))))
    for wanted in ("left.fill", "fill", "FILL"):
        clip = open_footage(tmp_path, layer=wanted)
        np.testing.assert_array_equal(clip.frame(0).linear(), BEAUTY[..., :3].astype(np.float32))
    with pytest.raises(
        FootageError, match=r"no layer 'rim' with a picture. Choose one with --layer: left.fill, left.key"
    ):
        open_footage(tmp_path, layer="rim")
    with pytest.raises(FootageError, match=r"several layers called 'left'"):
        open_footage(tmp_path, layer="left")
    roi = Roi(8, 8, 40, 40)
    with SequenceWriter(tmp_path / "out" / "out.%04d.exr", clip.info) as writer:
        writer.write(clip.frame(0).over(a_patch(roi)))
    again = open_footage(tmp_path / "out", layer="key")
    assert again.info.channels == clip.info.channels
    np.testing.assert_array_equal(again.frame(0).linear(), OTHER.astype(np.float32))


def test_a_layer_is_that_of_the_plate_and_of_other_footage_that_has_it(tmp_path: Path) -> None:
    key = ("", BOTH, (*named("key", "RGB"), *named("fill", "RGBA")))
    save_layers(tmp_path / "plate.exr", key)
    save_layers(tmp_path / "source.exr", key)
    save_layers(tmp_path / "roto.exr", ("", DEPTH, ("Y",)))
    names = [tmp_path / f"{name}.exr" for name in ("plate", "source", "roto")]
    with opened(*names, None, layer="fill") as clips:
        assert [clip and clip.info.layer for clip in clips] == ["fill", "fill", "", None]
    with pytest.raises(FootageError, match=r"roto.exr.*no layer 'fill'"), opened(names[2], names[0], layer="fill"):
        pass


def test_a_deep_image_is_refused_and_overscan_is_told(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(8, 8, 4, oiio.HALF)
    spec.deep, spec.channelformats = True, (oiio.HALF,) * 4
    data = oiio.DeepData()
    data.init(64, 4, spec.channelformats, spec.channelnames)
    output = oiio.ImageOutput.create(str(tmp_path / "deep.exr"))
    assert output.open(str(tmp_path / "deep.exr"), spec) and output.write_deep_image(data)
    output.close()
    with pytest.raises(FootageError, match=r"deep image. Flatten it first: oiiotool \S+ --flatten -o \S+exr$"):
        open_footage(tmp_path / "deep.exr")
    wide = oiio.ImageSpec(W, H, 3, oiio.HALF)
    wide.x, wide.full_width, wide.full_height = -4, W - 8, H
    output = oiio.ImageOutput.create(str(tmp_path / "o.exr"))
    assert output.open(str(tmp_path / "o.exr"), wide) and output.write_image(picture("float16"))
    output.close()
    (note,) = open_footage(tmp_path / "o.exr").info.notes
    assert "overscan" in note


def test_a_turned_photograph_stands_upright(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", picture("uint8"), Orientation=6)
    clip = open_footage(tmp_path / "a.tif")
    assert (clip.info.width, clip.info.height) == (H, W)
    np.testing.assert_array_equal(clip.frame(0).rgb8(), np.rot90(picture("uint8"), -1))


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.full((1, 1, 4), 9, np.uint8), oiio__UnassociatedAlpha=1)
    frame = open_footage(tmp_path / "a.png").frame(0)
    assert frame.rgb8().tolist() == [[[9, 9, 9]]]
    assert frame.over(Patch(0, Roi(0, 0, 1, 1), np.ones((1, 1, 4), np.float32))).rgb8().tolist() == [[[255] * 3]]


def test_an_error_while_writing_leaves_no_files(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture("uint8"))
    clip = open_footage(tmp_path / "a.png")
    with pytest.raises(RuntimeError), SequenceWriter(tmp_path / "out" / "b.%04d.png", clip.info) as writer:
        writer.write(clip.frame(0))
        raise RuntimeError
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(OutputError, match="no pattern"):
        SequenceWriter(tmp_path / "b.mov", clip.info)


def test_a_new_format_is_one_entry_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(IMAGES, ".bmp", ImageFormat("bmp", writes=(8,)))
    save(tmp_path / "in.0001.png", picture("uint16"))
    with (
        open_footage(tmp_path / "in.%04d.png") as footage,
        SequenceWriter(tmp_path / "a.%04d.bmp", footage.info) as out,
    ):
        out.write(footage.frame(0))
        expected = footage.frame(0).rgb()
    with open_footage(tmp_path / "a.%04d.bmp") as again:
        assert again.info.bit_depth == 8
        assert np.abs(again.frame(0).rgb() - expected).max() <= 0.5 / 255 + 1e-6
