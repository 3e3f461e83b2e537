"""Composed crops: things are laid before the face, and the classes say exactly where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.occlusion.test_examples import blank_examples
from trainer.occlusion.cutouts import Cutout, drawn, photographed_hands, rendered_hands, spectacles
from trainer.occlusion.examples import FACE, GLASSES, HAIR, HAND, OTHER, SIDE, Examples
from trainer.occlusion.paste import Composed, composed


def _crop(seed: int, cutouts: list[Cutout]) -> Composed:
    example = blank_examples(1)
    return composed(np.random.default_rng(seed), example.pictures[0], example.classes[0], example.landmarks[0], cutouts)


def test_a_crop_keeps_face_and_landmarks_together() -> None:
    for seed in range(8):
        crop = _crop(seed, [])
        assert crop.image.shape == (192, 192, 3) and crop.image.min() >= 0 and crop.image.max() <= 1
        np.testing.assert_allclose(crop.classes.sum(0), 1, atol=1e-3)
        assert (crop.weights == 1).all()
        x, y = crop.landmarks[1, :2].astype(int)
        assert crop.classes[FACE, y, x] > 0.99
        right, left = crop.landmarks[33, 0], crop.landmarks[263, 0]
        assert right < left  # also of a mirrored one
    again = _crop(3, [])
    np.testing.assert_array_equal(again.image, _crop(3, []).image)


def test_what_is_laid_over_a_face_takes_its_place_in_classes_and_picture() -> None:
    square = np.zeros((60, 60, 4), np.float32)
    square[4:-4, 4:-4] = (0.0, 0.6, 0.0, 1.0)
    seen = 0
    for seed in range(30):
        crop, bare = _crop(seed, [Cutout(square, HAND)]), _crop(seed, [])
        np.testing.assert_allclose(crop.classes.sum(0), 1, atol=1e-3)
        hand = crop.classes[HAND]
        assert not crop.classes[HAIR].any()
        if hand.sum() > 200:
            seen += 1
            assert crop.classes[FACE].sum() < bare.classes[FACE].sum() + 0.02 * bare.classes[FACE].sum()
    assert seen > 12


def test_a_thing_that_lies_where_the_example_is_not_known_teaches_nothing() -> None:
    example, square = blank_examples(1), np.ones((80, 80, 4), np.float32)
    square[[0, -1]], square[:, [0, -1]] = 0, 0
    for seed in range(20):
        crop = composed(
            np.random.default_rng(seed), example.pictures[0], example.classes[0], example.landmarks[0],
            [Cutout(square, OTHER)], weights=np.zeros((SIDE, SIDE), np.uint8),
        )  # fmt: skip
        assert not crop.weights.any()


def test_drawn_things_have_colours_within_their_alpha_and_every_class_occurs() -> None:
    cutouts = drawn(np.random.default_rng(3), 60)
    assert {cutout.kind for cutout in cutouts} == {HAIR, GLASSES, OTHER}
    for rgba, *_ in cutouts:
        assert rgba.dtype == np.float32 and rgba[..., 3].max() > 0.05
        assert (rgba[..., :3] <= rgba[..., 3:] + 1e-4).all() and rgba.min() >= -1e-5


def test_glasses_hang_on_the_eyes() -> None:
    shares = []
    for seed in range(16):
        crop = _crop(seed, [spectacles(np.random.default_rng(seed))])
        if crop.classes[GLASSES].sum() > 50:
            rows, columns = (grid[crop.classes[GLASSES] > 0.1] for grid in np.indices(crop.classes[GLASSES].shape))
            eyes = crop.landmarks[[33, 263], :2]
            apart = np.hypot(*(eyes[0] - eyes[1]))
            assert np.hypot(*(eyes.mean(0) - (columns.mean(), rows.mean()))) < 0.25 * apart
            shares.append(np.ptp(columns) / apart)
    assert len(shares) > 8 and 0.9 < np.median(shares) < 1.8


def test_photographed_hands_are_cut_out_without_the_wall(hand_footage: Path) -> None:
    for rgba, kind, _ in photographed_hands(hand_footage):
        assert kind == HAND and rgba[..., 3].max() > 0.99
        colours = rgba[..., :3][rgba[..., 3] > 0.3] / rgba[..., 3:][rgba[..., 3] > 0.3]
        wall = (colours.min(-1) > 0.62).mean()
        assert wall < 0.02
        assert rgba[-1, :, 3].max() > 0.5 and not rgba[0, :, 3].any()  # the arm leaves below


def test_a_rendered_hand_keeps_no_colour_of_what_was_behind() -> None:
    example = blank_examples(1)
    classes, pictures = example.classes.copy(), example.pictures.copy()
    ramp = np.clip((np.arange(SIDE) - 100) * 25, 0, 255).astype(np.uint8)
    classes[0], classes[0, HAND], classes[0, OTHER] = 0, ramp, 255 - ramp
    share = ramp[None, :, None] / 255
    pictures[0] = (share * (200, 120, 90) + (1 - share) * (0, 0, 255)).astype(np.uint8)
    (hand,) = rendered_hands(Examples(pictures, classes, example.weights, example.landmarks))
    soft = (hand.rgba[..., 3] > 0.2) & (hand.rgba[..., 3] < 0.9)
    straight = hand.rgba[soft][:, :3] / hand.rgba[soft][:, 3:]
    np.testing.assert_allclose(straight, np.broadcast_to(np.array([200, 120, 90]) / 255, straight.shape), atol=0.02)


@pytest.mark.parametrize("kind", [HAND, HAIR, OTHER])
def test_some_of_the_face_is_always_left(kind: int) -> None:
    sheet = np.zeros((400, 400, 4), np.float32)
    sheet[2:-2, 2:-2] = 1
    for seed in range(12):
        crop, bare = _crop(seed, [Cutout(sheet, kind)]), _crop(seed, [])
        assert crop.classes[FACE].sum() > 0.1 * bare.classes[FACE].sum()
