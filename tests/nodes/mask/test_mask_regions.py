"""Each region of the face can be in the mask or out of it, on real faces."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nodes.align import align
from nodes.definitions import AlignParameters, MaskParameters
from nodes.mask import draw_matte, draw_regions
from nodes.subjects.subject import load_subject
from nodes.types import Float

FACE = load_subject()

SIZE = 256
ALL = tuple(r.name for r in FACE.regions)
# Landmarks well inside each region.
INSIDE = {
    "face": [4, 50, 280, 205, 425, 199],  # nose, cheeks, chin
    "forehead": [151, 69, 108, 337],
    "mouth": [13, 14, 0, 17],
}


@pytest.fixture(scope="module")
def landmarks(plate_faces) -> Float:
    (found,) = align(plate_faces, AlignParameters(size=SIZE)).crops
    return found.landmarks[::16]


def probes(landmarks: Float, region: str) -> Float:
    """Points [T, K, 2] inside a region."""
    if region == "eyes":
        return (landmarks[:, [159, 386], :2] + landmarks[:, [145, 374], :2]) / 2
    if region == "brows":
        contours = FACE.contours
        return np.stack([landmarks[:, contours[n], :2].mean(1) for n in ("right_brow", "left_brow")], axis=1)
    return landmarks[:, INSIDE[region], :2]


def sampled(mattes: Float, points: Float) -> Float:
    x, y = np.floor(points).astype(int).transpose(2, 0, 1)
    return mattes[np.arange(len(mattes))[:, None], y, x]


def holding(landmarks: Float, *regions: str) -> Float:
    return draw_regions(landmarks, SIZE, FACE, regions)


@pytest.mark.parametrize("count", range(6))
def test_what_is_in_is_in_and_what_is_out_is_out(landmarks, count):
    for chosen in combinations(ALL, count):
        mattes = holding(landmarks, *chosen)
        assert mattes.shape == (len(landmarks), SIZE, SIZE) and mattes.dtype == np.float32
        assert mattes.min() >= 0 and mattes.max() <= 1
        for region in ALL:
            wanted = region in chosen
            got = sampled(mattes, probes(landmarks, region))
            assert (got == wanted).all(), (chosen, region)


def test_the_parts_of_a_face_are_as_large_as_they_are(landmarks):
    area = {r: holding(landmarks, r).sum((1, 2)) for r in ALL}
    whole = holding(landmarks, *ALL).sum((1, 2))
    assert (whole > 0.1 * SIZE**2).all() and (whole < 0.6 * SIZE**2).all()
    for region, low, high in (
        ("forehead", 0.1, 0.35),
        ("brows", 0.01, 0.12),
        ("eyes", 0.01, 0.1),
        ("mouth", 0.02, 0.15),
    ):
        share = area[region] / whole
        assert (share > low).all() and (share < high).all(), region
    assert (area["face"] < whole).all()


def test_a_region_and_the_rest_make_the_whole(landmarks):
    whole = holding(landmarks, *ALL)
    for region in ("forehead", "eyes", "mouth"):
        rest = holding(landmarks, *(r for r in ALL if r != region))
        both = rest + holding(landmarks, region)
        assert np.abs(both - whole)[np.abs(whole - 1) < 0.01].mean() < 0.02, region


def test_the_outline_runs_along_the_landmarks(landmarks):
    whole = holding(landmarks, *ALL)
    oval = landmarks[:, FACE.contours["oval"], :2]
    middle = oval.mean(1, keepdims=True)
    outward = (oval - middle) / np.linalg.norm(oval - middle, axis=-1, keepdims=True)
    assert (sampled(whole, oval - 4 * outward) == 1).all()
    assert (sampled(whole, oval + 4 * outward) == 0).all()


def test_an_opening_mouth_opens_its_region(plate_faces):
    (found,) = align(plate_faces, AlignParameters(size=SIZE)).crops
    opening = np.linalg.norm(found.landmarks[:, 13, :2] - found.landmarks[:, 14, :2], axis=-1)
    area = draw_regions(found.landmarks, SIZE, FACE, ("mouth",)).sum((1, 2))
    assert area[opening.argmax()] > 1.1 * area[opening.argmin()]


def test_outside_the_outline_a_matte_is_exactly_zero(landmarks):
    hard = holding(landmarks, *ALL)
    matte = draw_matte(landmarks, SIZE, FACE)
    assert (matte[hard == 0] == 0).all()
    assert (matte > 0).any((1, 2)).all() and matte.max() == 1
    assert (matte[:, [0, -1]] == 0).all() and (matte[:, :, [0, -1]] == 0).all()
    assert (draw_matte(landmarks, SIZE, FACE, MaskParameters(regions=())) == 0).all()


def test_grow_and_feather_move_and_soften_the_edge(landmarks):
    area = {g: draw_matte(landmarks, SIZE, FACE, MaskParameters(grow=g)).sum() for g in (-0.05, 0, 0.05)}
    assert area[-0.05] < area[0] < area[0.05]
    soft, hard = (draw_matte(landmarks, SIZE, FACE, MaskParameters(feather=f)) for f in (0.2, 0.0))
    assert ((soft > 0) & (soft < 1)).mean() > 5 * ((hard > 0) & (hard < 1)).mean()
    assert (soft <= hard + 1e-6).all()


def test_a_face_that_is_partly_or_wholly_outside_its_crop_does_no_harm(landmarks):
    shift = np.zeros_like(landmarks[:1])
    for move in (SIZE * 0.6, SIZE * 5):
        shift[..., 0] = move
        matte = draw_matte(landmarks[:1] + shift, SIZE, FACE)
        assert np.isfinite(matte).all() and ((matte > 0).any() == (move < SIZE))


@pytest.mark.parametrize("size", [32, 33, 128, 512])
def test_the_mask_scales_with_the_crop(landmarks, size):
    small = draw_matte((landmarks * size / SIZE).astype(np.float32), size, FACE)
    assert small.shape[1:] == (size, size)
    assert small.mean() == pytest.approx(draw_matte(landmarks, SIZE, FACE).mean(), rel=0.05 if size > 100 else 0.25)
