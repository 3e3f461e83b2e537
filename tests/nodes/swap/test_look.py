"""The second look: what the new face shows is brought to what the plate shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nodes.align import align
from nodes.definitions import SwapParameters
from nodes.subjects import load_subject
from nodes.swap.reference import look, plan
from nodes.swap.reference.look import look_again
from nodes.swap.reference.render import ReferenceTrack
from nodes.swap.reference.source import take_source

FACE = load_subject()
JAW, BROW = (FACE.coefficients.names.index(name) for name in ("jawOpen", "browInnerUp"))


def asked(monkeypatch: pytest.MonkeyPatch, plate: np.ndarray, shown: np.ndarray, expression: float = 1.0) -> np.ndarray:
    """What is asked for of a plate [T, 52] whose new face shows `shown` so far."""
    monkeypatch.setattr(
        look, "_seen", lambda track, t, picture: None if np.isnan(shown[t]).any() else (plate[t], shown[t])
    )
    none = np.zeros((len(plate), 1, 3), np.float32)
    track = ReferenceTrack(FACE, none, (), {}, expression * plate, plate)
    return look_again(track, np.arange(len(plate)), [None] * len(plate), expression)


@pytest.fixture
def lively() -> np.ndarray:
    plate = np.zeros((60, 52), np.float32)
    plate[:, JAW] = 0.3 + 0.2 * np.sin(np.arange(60) / 5)
    plate[:, BROW] = 0.2
    return plate


def test_what_is_shown_too_weakly_is_asked_for_more_strongly(monkeypatch, lively):
    shown = lively.copy()
    shown[:, JAW] *= 0.7
    found = asked(monkeypatch, lively, shown)
    assert found[:, JAW].std() == pytest.approx(lively[:, JAW].std() / 0.75, rel=0.06)  # a little less than 1 / 0.7
    assert np.corrcoef(found[:, JAW], lively[:, JAW])[0, 1] > 0.999
    np.testing.assert_allclose(np.delete(found, JAW, 1), np.delete(lively, JAW, 1), atol=1e-6)


def test_a_constant_difference_is_made_up_for_in_part_and_never_by_much(monkeypatch, lively):
    shown = lively.copy()
    shown[:, BROW] += 0.1
    assert asked(monkeypatch, lively, shown)[:, BROW] == pytest.approx(0.16, abs=1e-3)
    shown[:, BROW] += 0.8
    assert asked(monkeypatch, lively, shown)[:, BROW] == pytest.approx(0.05, abs=1e-3)


def test_what_is_not_shown_at_all_is_not_blown_up_and_frames_without_a_face_count_for_nothing(monkeypatch, lively):
    shown = lively.copy()
    shown[:, JAW] = shown[:, JAW].mean()
    found = asked(monkeypatch, lively, shown)
    assert found.min() >= 0 and found.max() <= 1
    assert found[:, JAW].std() < 1.51 * lively[:, JAW].std()
    np.testing.assert_array_equal(asked(monkeypatch, lively, np.full_like(shown, np.nan)), lively)


def test_an_expression_that_is_asked_to_be_stronger_stays_stronger(monkeypatch, lively):
    np.testing.assert_allclose(asked(monkeypatch, lively, 1.3 * lively, 1.3), 1.3 * lively, atol=1e-5)


@pytest.mark.slow
def test_of_a_real_pair_the_new_face_then_shows_more_of_what_the_plate_shows(
    plate, plate_faces, source, source_faces, monkeypatch
):
    """As the tracks of a plan render it, seen by the landmarker."""
    apart = {}

    def measured(track, rows, pictures, expression):
        def difference(coefficients):
            vertices = placed[0](coefficients)
            moved = replace(track, coefficients=coefficients, vertices=vertices)
            shifted = [
                replace(p, vertices=np.concatenate([p.vertices[: len(p.vertices) // 2], v]))
                for p, v in zip(pictures, brought(track, rows, pictures, vertices), strict=True)
            ]
            pairs = [look._seen(moved, t, p) for t, p in zip(rows.tolist(), shifted, strict=True)]
            first, second = np.stack([p for p in pairs if p is not None], 1)
            return np.abs(first - second).mean()

        found = look_again(track, rows, pictures, expression)
        apart.update(before=difference(track.coefficients), after=difference(found))
        return found

    placed = []
    original = plan.retarget

    def noted(performance, known, subject, parameters, wanted=None):
        from nodes.swap.reference.surface import surface_of

        if not placed:
            placed.append(
                lambda c: surface_of(subject).extend(
                    performance.place(original(performance, known, subject, parameters, c))
                )
            )
        return original(performance, known, subject, parameters, wanted)

    def brought(track, rows, pictures, vertices):
        """New vertices in the pictures, by the line that takes the old ones there."""
        for t, picture in zip(rows.tolist(), pictures, strict=True):
            old = track.vertices[t, :, :2]
            there = picture.vertices[len(picture.vertices) // 2 :]
            scale = np.ptp(there, axis=0) / np.ptp(old, axis=0)
            yield (vertices[t, :, :2] - old.min(0)) * scale + there.min(0)

    monkeypatch.setattr(plan, "retarget", noted)
    monkeypatch.setattr(plan, "look_again", measured)
    plan.plan_reference(align(plate_faces), take_source(source, source_faces), SwapParameters(), plate)
    assert apart["after"] < 0.95 * apart["before"]
