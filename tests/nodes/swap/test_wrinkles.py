"""Wrinkles: a fold that goes with an expression is learned from the plate, and shown where the reference lacks that expression."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from nodes.align import Alignment, align
from nodes.align.pose import take_performance
from nodes.definitions import AlignParameters, SwapParameters
from nodes.footage.footage import Footage
from nodes.subjects.subject import load_subject
from nodes.swap.reference import ReferenceTrack, plan_reference
from nodes.swap.reference import plan as reference_plan
from nodes.swap.reference.choice import Choice
from nodes.swap.reference.gallery import Reference, fetch_references
from nodes.swap.reference.source import Source, take_source
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.wrinkles import Wrinkles, learn_wrinkles, part_shares, spread_out, unwrapped
from tests.support.memory import clip_of

FACE = load_subject()
SURFACE = surface_of(FACE)
RAISED = FACE.coefficients.names.index("browInnerUp")
FOREHEAD = [104, 69, 108, 151, 337, 299, 333]  # landmarks that the fold runs along
SIDE, COUNT = 360, 60


@dataclass(frozen=True)
class Person:
    """A drawn performer who keeps still, in front of a camera with some noise."""

    source: Source
    footage: Footage


def person(seed: int, *, fold: float, raises: bool = True) -> Person:
    """Draw a performer whose forehead has a fold of some darkness while the brows are raised; `raises`: they ever are."""
    rng = np.random.default_rng(seed)
    landmarks = np.repeat((FACE.template * 90 + [SIDE / 2, SIDE / 2, 0]).astype(np.float32)[None], COUNT, 0)
    coefficients = rng.uniform(0, 0.6, (COUNT, 52)).astype(np.float32)
    coefficients[:, FACE.coefficients.gaze] = 0
    coefficients[:, RAISED] *= raises
    line = np.zeros((SIDE, SIDE), np.float32)
    cv2.polylines(line, [np.round(landmarks[0, FOREHEAD, :2]).astype(np.int32)], False, 1.0, 4)
    line = cv2.GaussianBlur(line, (0, 0), 1.5)
    pictures = [
        np.clip(150 * (1 - fold * raised * line) + rng.normal(0, 2, line.shape), 0, 255).round().astype(np.uint8)
        for raised in coefficients[:, RAISED]
    ]
    footage = clip_of([np.repeat(p[..., None], 3, 2) for p in pictures])
    performance = replace(take_performance(landmarks, FACE), coefficients=coefficients)
    return Person(Source(FACE, footage, np.arange(COUNT), landmarks, performance, np.zeros(COUNT, np.float32)), footage)


def references(source: Source, rows: np.ndarray) -> list[Reference]:
    assert source.footage is not None
    return fetch_references(source.footage, rows, SURFACE.extend(source.landmarks[rows], picture=True), SIDE)


def learned(plate: Person, source: Person) -> Wrinkles:
    mine, theirs = (spread_out(person.source.performance.coefficients) for person in (source, plate))
    return learn_wrinkles(
        plate.source.performance,
        theirs,
        references(plate.source, theirs),
        source.source,
        mine,
        references(source.source, mine),
    )


def of(coefficient: int, amount: float) -> np.ndarray:
    """Coefficients that are apart in one, the same for all parts, [P, C]."""
    apart = np.zeros((len(FACE.parts), 52), np.float32)
    apart[:, coefficient] = amount
    return apart


def at(change: np.ndarray, landmarks: list[int]) -> np.ndarray:
    x, y = np.round(unwrapped(FACE)[landmarks, :2]).astype(int).T
    return change[y, x]


@pytest.fixture(scope="module")
def folded() -> Person:
    """A performer with a fold."""
    return person(1, fold=0.5)


@pytest.fixture(scope="module")
def smooth() -> Person:
    """A performer without the fold, who never raises the brows."""
    return person(2, fold=0, raises=False)


@pytest.fixture(scope="module")
def wrinkles(folded, smooth) -> Wrinkles:
    return learned(folded, smooth)


def test_a_fold_of_the_plate_is_learned_where_it_is_and_for_its_expression_alone(wrinkles):
    change = wrinkles.change(of(RAISED, 0.6), part_shares(FACE))
    assert change.dtype == np.float32 and change.shape == (192, 192)
    fold = at(change, FOREHEAD[2:5])
    assert (fold < -0.06).all()
    assert np.abs(at(change, [50, 280, 205, 425, 152, 4])).max() < 0.003, "cheeks, chin and nose have none"
    other = FACE.coefficients.names.index("mouthSmileLeft")
    assert np.abs(wrinkles.change(of(other, 0.6), part_shares(FACE))).max() < 0.2 * np.abs(fold).min()


def test_an_expression_that_agrees_changes_nothing_and_one_that_is_less_undoes_it(wrinkles):
    shares = part_shares(FACE)
    assert not wrinkles.change(of(RAISED, 0), shares).any()
    np.testing.assert_allclose(wrinkles.change(of(RAISED, -0.6), shares), -wrinkles.change(of(RAISED, 0.6), shares), atol=1e-6)  # fmt: skip
    assert np.abs(wrinkles.change(of(RAISED, 100), shares)).max() <= 0.35, "never a scar"


def test_who_raised_the_brows_without_a_fold_gets_less_of_it_and_who_has_it_gets_more(folded, wrinkles):
    def depth(found: Wrinkles) -> float:
        return float(-at(found.change(of(RAISED, 0.6), part_shares(FACE)), FOREHEAD[2:5]).mean())

    without, both = (learned(folded, person(2, fold=fold)) for fold in (0, 0.5))
    assert depth(without) < 0.75 * depth(wrinkles) < 0.75 * depth(both)


def test_it_is_applied_part_by_part(wrinkles):
    """Brows of one reference and a mouth of another: the fold is that of the brows."""
    names = [part.name for part in FACE.parts]
    brows, mouth = of(RAISED, 0.6), of(RAISED, 0.6)
    brows[[i for i, n in enumerate(names) if n != "brows"]] = 0
    mouth[[i for i, n in enumerate(names) if n != "mouth"]] = 0
    whole, there, elsewhere = (wrinkles.change(a, part_shares(FACE)) for a in (of(RAISED, 0.6), brows, mouth))
    np.testing.assert_allclose(at(there, FOREHEAD), at(whole, FOREHEAD), rtol=0.05)
    assert np.abs(at(elsewhere, FOREHEAD)).max() < 1e-3


def test_parts_share_the_unwrap_and_it_shows_the_whole_surface():
    points = unwrapped(FACE)
    assert points[:478, :2].min() > 0 and points[:478, :2].max() < 192
    assert np.ptp(points[:478, 1]) > 170
    assert part_shares(FACE).min() > -0.1  # a pixel on a sliver's rim may lie a little beyond it
    total = part_shares(FACE).sum(0).reshape(192, 192)
    assert total[96, 96] == pytest.approx(1, abs=1e-4) and total[0, 0] == 0


def test_eyes_mouth_and_outline_have_no_wrinkles(wrinkles):
    shade = np.abs(wrinkles.change(of(RAISED, 50), part_shares(FACE)))
    assert at(shade, [159, 145, 386, 374, 13, 14, 10, 152, 234, 454]).max() < 1e-6


# ---- on the new face


def track_of(source: Person, wrinkles: Wrinkles, wanted: np.ndarray, wrinkled: float = 1.0) -> ReferenceTrack:
    """A track of as many frames as there are coefficients `wanted` [T, C], all of which show the source's first frame."""
    count = len(wanted)
    choice = Choice(np.zeros((count, 1), np.int64), np.ones((count, 1), np.float32))
    return ReferenceTrack(
        FACE,
        SURFACE.extend(source.source.landmarks[:count]),
        (choice,) * len(FACE.parts),
        {0: references(source.source, np.array([0]))[0]},
        wanted,
        source.source.performance.coefficients,
        wrinkles,
        wrinkled,
    )


def test_the_fold_appears_where_the_plate_s_expression_is_not_the_reference_s_and_not_where_it_is(smooth, wrinkles):
    shown = smooth.source.performance.coefficients[0]
    raised = shown.copy()
    raised[RAISED] += 0.6
    track = track_of(smooth, wrinkles, np.stack([shown, raised]))
    plain = replace(track, wrinkles=None)
    same, other = (
        track.render(t, track.vertices[t], SIDE)[0] / plain.render(t, track.vertices[t], SIDE)[0].clip(1e-3)
        for t in (0, 1)
    )
    visible = plain.render(0, track.vertices[0], SIDE)[1] > 0
    np.testing.assert_allclose(same[visible], 1, atol=1e-6)
    y, x = np.unravel_index(np.where(visible, other[..., 0], 1).argmin(), visible.shape)
    corners = smooth.source.landmarks[0, FOREHEAD, :2]
    assert other[y, x, 0] < 0.94 and abs(y - np.interp(x, *corners.T)) < 3
    below = np.zeros_like(visible)
    below[SIDE // 2 :] = visible[SIDE // 2 :]
    assert np.abs(other[below] - 1).max() < 0.01


def test_wrinkled_is_a_gain(smooth, wrinkles):
    raised = smooth.source.performance.coefficients[:1].copy()
    raised[:, RAISED] += 0.6

    def depth(gain: float) -> float:
        track = track_of(smooth, wrinkles, raised, gain)
        x, y = np.round(smooth.source.landmarks[0, 151, :2]).astype(int)
        shown, plain = (t.render(0, t.vertices[0], SIDE)[0][y, x] for t in (track, replace(track, wrinkles=None)))
        return float(-np.log(shown / plain).mean())

    none, half, whole = (depth(gain) for gain in (0, 0.5, 1))
    assert none == pytest.approx(0, abs=1e-6)
    assert 0 < half == pytest.approx(whole / 2, rel=0.02)


# ---- on real footage


def test_expressions_that_are_learned_from_lie_far_apart(source_faces):
    coefficients = take_performance(source_faces.tracks[0].landmarks, FACE).coefficients
    chosen = spread_out(coefficients, 20)
    assert len(set(chosen.tolist())) == 20 and (np.diff(chosen) > 0).all()

    def cover(rows: np.ndarray) -> float:
        """How far the frame is that is farthest from all chosen ones."""
        return float(np.linalg.norm(coefficients[:, None] - coefficients[rows], axis=-1).min(1).max())

    assert cover(chosen) < 0.8 * cover(np.arange(0, 200, 10))
    assert spread_out(coefficients[:3], 20).tolist() == [0, 1, 2]
    same = np.repeat(coefficients[:1], 5, 0)
    assert len(spread_out(same, 20)) >= 1


@pytest.fixture(scope="module")
def alignment(plate_faces) -> Alignment:
    return align(plate_faces, AlignParameters(size=256)).crops[0]


def test_wrinkles_need_the_plate_and_can_be_switched_off(alignment, plate, source, source_faces, monkeypatch):
    monkeypatch.setattr(reference_plan, "look_again", lambda track, *_: track)  # which learns no wrinkles
    taken = take_source(source, source_faces)
    for footage, amount, learns in ((plate, 0.85, True), (plate, 0, False), (None, 0.85, False)):
        (track,) = plan_reference([alignment], taken, SwapParameters(wrinkles=amount), footage)
        assert (track.wrinkles is not None) == learns and track.wrinkled == amount


def test_real_wrinkles_are_a_change_of_shade_and_no_other_face(alignment, plate, source, source_faces):
    (track,) = plan_reference([alignment], take_source(source, source_faces), SwapParameters(), plate)
    vertices = alignment.to_crop(track.vertices)
    for t in (0, 40, 79):
        (image, visible), (plain, _) = (k.render(t, vertices[t], 256) for k in (track, replace(track, wrinkles=None)))
        change = np.abs(image - plain)[visible > 0]
        assert change.max() > 0.003 and change.mean() < 0.03 and np.percentile(change, 99) < 0.12


def test_a_plate_that_is_its_own_source_is_not_wrinkled_again(alignment, plate, plate_faces):
    taken = take_source(plate, plate_faces)
    (track,) = plan_reference([alignment], taken, SwapParameters(steadiness=0), plate)
    vertices = alignment.to_crop(track.vertices)
    for t in (10, 50):
        (image, visible), (plain, _) = (k.render(t, vertices[t], 256) for k in (track, replace(track, wrinkles=None)))
        assert np.abs(image - plain)[visible > 0].mean() < 0.002
