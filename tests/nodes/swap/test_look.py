"""The second look: what the new face shows is brought to what the plate shows."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.align import align
from nodes.align.pose import Performance
from nodes.definitions import SwapParameters
from nodes.subjects.subject import load_subject
from nodes.swap.reference import look, plan
from nodes.swap.reference.gallery import fetch_references
from nodes.swap.reference.look import ask_again, look_again
from nodes.swap.reference.render import ReferenceTrack
from nodes.swap.reference.source import take_source
from nodes.swap.reference.surface import surface_of

FACE = load_subject()
JAW, BROW = (FACE.coefficients.names.index(name) for name in ("jawOpen", "browInnerUp"))
ALL = np.arange(60)


def performance(coefficients: np.ndarray) -> Performance:
    """A head that does not turn."""
    count = len(coefficients)
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (count, 3, 3))
    none = np.zeros((count, 1, 3), np.float32)
    return Performance(np.ones(count, np.float32), still, none[:, 0], none, np.ones(count, np.float32), coefficients)


@pytest.fixture
def lively() -> np.ndarray:
    plate = np.zeros((60, 52), np.float32)
    plate[:, JAW] = 0.3 + 0.2 * np.sin(ALL / 5)
    plate[:, BROW] = 0.2
    return plate


def test_what_is_shown_too_weakly_is_asked_for_more_strongly(lively):
    shown = lively.copy()
    shown[:, JAW] = 0.3 + 0.7 * (lively[:, JAW] - 0.3)
    asked = ask_again(performance(lively), lively, ALL, lively, shown)
    assert asked[:, JAW].std() == pytest.approx(lively[:, JAW].std() / 0.75, rel=0.06)  # a little less than 1 / 0.7
    assert np.corrcoef(asked[:, JAW], lively[:, JAW])[0, 1] > 0.999
    np.testing.assert_allclose(np.delete(asked, JAW, 1), np.delete(lively, JAW, 1), atol=1e-5)


def test_what_goes_astray_in_one_expression_is_made_up_for_in_all_frames_that_show_it(lively):
    """With the jaw far open the brows come out too high; of those frames one in three is looked at."""
    wide = np.clip((lively[:, JAW] - 0.35) / 0.1, 0, 1)
    shown = lively.copy()
    shown[:, BROW] += 0.1 * wide - (0.1 * wide).mean()
    asked = ask_again(performance(lively), lively, ALL[::3], lively[::3], shown[::3])
    moved = asked[:, BROW] - lively[:, BROW]
    unseen = np.setdiff1d(ALL, ALL[::3])
    assert np.corrcoef(moved[unseen], (lively - shown)[unseen, BROW])[0, 1] > 0.9
    assert np.abs(moved).max() < 0.1


def test_a_constant_difference_is_made_up_for_never_by_much(lively):
    shown = lively.copy()
    shown[:, BROW] += 0.8
    assert ask_again(performance(lively), lively, ALL, lively, shown)[:, BROW] == pytest.approx(0.0, abs=1e-3)


def test_what_is_not_shown_at_all_is_not_blown_up(lively):
    shown = lively.copy()
    shown[:, JAW] = shown[:, JAW].mean()
    asked = ask_again(performance(lively), lively, ALL, lively, shown)
    assert asked[:, JAW].std() < 1.9 * lively[:, JAW].std()


def looked(monkeypatch: pytest.MonkeyPatch, plate: np.ndarray, shift: np.ndarray, expression: float) -> np.ndarray:
    """Coefficients that are asked for, where a new face shows them shifted by [52]."""

    class Look:
        def __init__(self, track: ReferenceTrack, row: int, picture: None) -> None:
            self.row, self.plate = row, plate[row]

        def shown(self, track: ReferenceTrack) -> np.ndarray:
            return track.coefficients[self.row] + shift

    monkeypatch.setattr(look, "_Look", Look)
    none = np.zeros((len(plate), 1, 3), np.float32)
    track = ReferenceTrack(FACE, none, (), {}, np.float32(expression) * plate, plate)
    pictures = [None] * len(plate)
    return look_again(track, performance(plate), lambda c: none, ALL, pictures, expression).coefficients


def test_a_constant_difference_is_made_up_for_in_part_in_all_rounds_together(monkeypatch, lively):
    shift = np.zeros(52, np.float32)
    shift[BROW] = 0.1
    assert looked(monkeypatch, lively, shift, 1.0)[:, BROW] == pytest.approx(0.16, abs=1e-3)


def test_an_expression_that_is_asked_to_be_stronger_stays_stronger(monkeypatch, lively):
    shift = np.zeros(52, np.float32)
    np.testing.assert_allclose(looked(monkeypatch, lively, shift, 1.3), 1.3 * lively, atol=1e-5)


@pytest.mark.slow
def test_of_a_real_pair_the_new_face_then_shows_more_of_what_the_plate_shows(
    plate, plate_faces, source, source_faces, monkeypatch
):
    """As the tracks of a plan render it, seen by the landmarker, in frames that the plan has not looked at."""
    apart = []

    def measured(track, performed, place, rows, pictures, expression, progress):
        others = np.setdiff1d(np.arange(len(track.vertices)), rows[::2])[::4]
        own = surface_of(track.subject).extend(alignment.track.landmarks[others], picture=True)
        points = np.concatenate([own, track.vertices[others]], 1)
        frames = alignment.track.frames[others]
        kept = fetch_references(plate, frames, points, 384, margin=look.MARGIN)
        looks = [look._Look(track, t, picture) for t, picture in zip(others.tolist(), kept, strict=True)]
        found = look_again(track, performed, place, rows[::2], pictures[::2], expression, progress)
        for each in (track, found):
            seen = [(one.plate, new) for one in looks if one.plate is not None and (new := one.shown(each)) is not None]
            first, second = np.stack(seen, 1)
            apart.append(np.abs(first - second).mean())
        return found

    (alignment,) = align(plate_faces).crops
    monkeypatch.setattr(plan, "look_again", measured)
    steps: list[tuple[int, int | None]] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "look":
            steps.append((done, total))

    plan.plan_reference([alignment], take_source(source, source_faces), SwapParameters(), plate, progress)
    before, after = apart
    assert after < 0.95 * before
    assert steps == [(n, len(steps)) for n in range(1, len(steps) + 1)] and len(steps) > 20


def test_frames_in_which_no_face_is_seen_count_for_nothing(monkeypatch, lively):
    monkeypatch.setattr(look, "_Look", lambda *_: type("Blind", (), {"plate": None, "row": 0})())
    track = object()
    assert look_again(track, performance(lively), lambda c: c, ALL[:2], [None, None]) is track
