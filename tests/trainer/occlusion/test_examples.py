"""Examples: they are drawn at random but plausibly, keep their classes, and come back from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes.errors import SchemaError
from nodes.subjects.subject import load_subject
from trainer.occlusion.clips import clip_examples
from trainer.occlusion.examples import CLASSES, FACE, HAIR, HAND, OTHER, SIDE, Examples, eight_bit_classes
from trainer.occlusion.rendered import examples_of, random_take, render_examples
from trainer.synthetic.make import make_take


def test_takes_differ_and_most_have_things_before_the_face() -> None:
    takes = [random_take(seed, 4) for seed in range(60)]
    assert random_take(7, 4) == takes[7]
    props = [take.cast[0].props for take in takes]
    assert 0.5 < np.mean([len(each) > 0 for each in props]) < 0.85
    kinds = [prop.kind for each in props for prop in each]
    assert kinds.count("hand") > 0.4 * len(kinds) and "smoke" not in kinds
    assert {take.cast[0].person.wardrobe.glasses for take in takes} > {"none", "round"}
    assert len({take.place for take in takes}) == 5


@pytest.mark.slow
def test_a_rendered_hand_before_the_eyes_is_hand_and_the_rest_is_what_it_is(
    tmp_path: Path, makehuman: Path, renderer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_MAKEHUMAN", str(makehuman))
    monkeypatch.setenv("FACEPLATE_BPY50", str(renderer))
    make_take(random_take(19, 3).model_copy(update={"size": (96, 96), "samples": 2}), tmp_path, workers=1)
    examples = examples_of(tmp_path)
    assert len(examples) == 3 and (examples.classes.sum(1, dtype=np.int64) == 255).all()
    shares = examples.classes.mean((0, 2, 3)) / 255
    assert shares[FACE] > 0.15 and shares[HAIR] > 0.02 and shares[OTHER] > 0.3
    x, y = examples.landmarks[2, 386, :2].astype(int)  # the left eye
    assert examples.classes[2, HAND, y, x] > 200
    x, y = examples.landmarks[2, 152, :2].astype(int)  # the chin
    assert examples.classes[2, FACE, y - 4, x] > 200


def test_takes_that_are_there_are_not_rendered_again(tmp_path: Path) -> None:
    examples = blank_examples(1)
    for seed in (1, 3):
        examples.save(tmp_path / f"{seed:04d}.npz")
    files = render_examples(tmp_path, 5, first=1, step=2)
    assert [file.name for file in files] == ["0001.npz", "0003.npz"]


def test_rounded_classes_sum_to_255() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(len(CLASSES)), (2, 40, 40)).astype(np.float32)
    rounded = eight_bit_classes(np.moveaxis(shares, -1, 1))
    assert (rounded.sum(1, dtype=np.int64) == 255).all()
    assert np.abs(rounded / 255 - np.moveaxis(shares, -1, 1)).max() < 4 / 255
    whole = eight_bit_classes(np.eye(len(CLASSES), dtype=np.float32)[..., None, None])
    assert (np.diagonal(whole[..., 0, 0]) == 255).all()


def test_examples_come_back_from_disk_and_join(tmp_path: Path) -> None:
    examples = blank_examples(2)
    examples.save(tmp_path / "a.npz")
    both = Examples.joined([Examples.load(tmp_path / "a.npz"), examples])
    assert len(both) == 4
    assert (both.classes[:2] == examples.classes).all() and both.landmarks.dtype == np.float32
    (tmp_path / "b.npz").write_bytes(b"no archive")
    with pytest.raises(SchemaError):
        Examples.load(tmp_path / "b.npz")


def test_of_a_clip_the_inside_of_the_face_and_the_far_background_are_known(samples: Path) -> None:
    examples = clip_examples({samples / "cap13_edit2.mp4": ((0, 600),)}, every=40)
    assert 2 <= len(examples) <= 8
    known = examples.weights == 255
    for example, weights, points in zip(examples.classes, known, examples.landmarks, strict=True):
        nose, brow = points[1], points[10]
        assert example[FACE, int(nose[1]), int(nose[0])] == 255 and weights[int(nose[1]), int(nose[0])]
        assert not weights[int(brow[1]) - 8, int(brow[0])]
        assert example[OTHER, 20, 3] == 255
    assert not examples.classes[:, [HAIR, HAND]].any()


def blank_examples(count: int) -> Examples:
    """Make examples with a face in the middle of a grey picture."""
    points = load_subject("face").template
    landmarks = np.repeat((points * SIDE / 5.32 + (SIDE / 2, SIDE / 2, 0))[None], count, 0).astype(np.float32)
    classes = np.zeros((count, len(CLASSES), SIDE, SIDE), np.uint8)
    classes[:, OTHER] = 255
    classes[:, OTHER, 70:220, 80:210], classes[:, FACE, 70:220, 80:210] = 0, 255
    pictures = np.full((count, SIDE, SIDE, 3), 60, np.uint8)
    pictures[:, 70:220, 80:210] = (190, 140, 120)
    return Examples(pictures, classes, np.full((count, SIDE, SIDE), 255, np.uint8), landmarks)
