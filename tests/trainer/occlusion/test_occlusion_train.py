"""The occlusion network: it learns, a stopped training goes on, and what is exported says what the network says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from nodes.mask.classes import CLASSES, SIZE
from nodes.subjects.subject import load_subject
from trainer.occlusion.cutouts import drawn
from trainer.occlusion.examples import COVERAGE, FACE, OTHER, SIDE, Examples
from trainer.occlusion.train import Composer, OcclusionSettings, as_tensors, export, loss_of, measure, train, trained


def flat_examples(count: int = 2) -> Examples:
    """Pink ovals on green, with the landmarks of the mean face."""
    subject = load_subject("face")
    points = subject.template * np.float32(SIDE / (2 * subject.half_side * COVERAGE))
    landmarks = points + np.float32([SIDE / 2, SIDE / 2, 0])
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    face = (x / 0.26) ** 2 + (y / 0.34) ** 2 < 1
    picture = np.where(face[..., None], np.uint8([220, 160, 140]), np.uint8([40, 120, 60]))
    classes = np.zeros((len(CLASSES), SIDE, SIDE), np.uint8)
    classes[FACE], classes[OTHER] = face * 255, ~face * 255
    parts = picture, classes, np.full((SIDE, SIDE), 255, np.uint8), landmarks.astype(np.float32)
    return Examples(*(np.repeat(part[None], count, 0) for part in parts))


@pytest.fixture(scope="module")
def composer() -> Composer:
    examples = flat_examples()
    return Composer(examples, examples, drawn(np.random.default_rng(0), 4))


@pytest.mark.slow
def test_it_learns_and_a_stopped_training_goes_on_to_the_same_end(composer: Composer, tmp_path: Path) -> None:
    said: list[str] = []
    settings = OcclusionSettings(steps=12, batch=2)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = train(composer, tmp_path / "whole", settings, tell=said.append)
    assert said and said[-1].startswith("step 12: loss ")

    class Stopped(Exception):
        pass

    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 7:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.occlusion.train._SAVED", 5)
        with pytest.raises(Stopped):
            train(composer, tmp_path / "parts", settings, stop, said.append)
    again = train(composer, tmp_path / "parts", settings, tell=said.append)
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    kept = trained(tmp_path / "parts")
    for one, other in zip(kept.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other) or not one.is_floating_point()

    path = tmp_path / "network.onnx"
    export(kept, path)
    crops, *_ = (
        torch.stack(parts)
        for parts in zip(*(as_tensors(composer(np.random.default_rng(k))) for k in (1, 2, 3)), strict=True)
    )
    session = ort.InferenceSession(str(path))
    classes, features = session.run(None, {"crop": crops.permute(0, 2, 3, 1).contiguous().numpy()})
    with torch.no_grad():
        logits, seen = kept(crops)
    assert classes.shape == (3, len(CLASSES), SIZE, SIZE)
    np.testing.assert_allclose(classes, logits.softmax(1).numpy(), atol=1e-4)
    np.testing.assert_allclose(features, seen.numpy(), atol=1e-3)
    assert str(tmp_path).encode() not in path.read_bytes() and path.stat().st_size < 5_000_000

    figures, sheet = measure(kept, flat_examples(1))
    assert set(figures) == {*CLASSES, "seen", "hidden"} and sheet.shape == (SIZE, 4 * 3 * SIZE, 3)


def test_the_loss_is_small_for_the_truth_and_ignores_what_is_unknown() -> None:
    classes = torch.zeros(1, 5, 32, 32)
    classes[:, 0, :, :16], classes[:, 4, :, 16:] = 1, 1
    weight = torch.ones(1, 32, 32)
    right, wrong = 12 * classes, 12 * classes.flip(1)
    assert loss_of(right, classes, weight) < 0.01 < 1 < loss_of(wrong, classes, weight)
    weight[:, :, 16:] = 0
    half = torch.cat([right[..., :16], wrong[..., 16:]], -1)
    assert loss_of(half, classes, weight) < 0.01
