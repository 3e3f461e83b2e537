"""Two processes under torchrun learn what one process learns from the joint batch, and decide together."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

from tests.support.consents import source_and_target  # noqa: F401
from tests.support.tiny_training import KINDS, fit, plain_faceset, process, read_table, settings, torchrun
from trainer.checkpoint import Checkpoint, last_checkpoint, read_checkpoint
from trainer.hooks.monitoring import TABLE
from trainer.settings import TrainSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def by_one(crops: Path, folder: Path, told: TrainSettings) -> Checkpoint:
    pair = plain_faceset(crops, "source"), plain_faceset(crops, "target")
    for name in ("source", "target"):
        shutil.copy(crops / f"{name}.npy", folder)
    return read_checkpoint(fit(pair, folder / "one", told, kind=KINDS[told.model]).checkpoint)


def test_the_gradients_of_two_processes_are_those_of_one_with_the_joint_batch(crops, tmp_path):
    told = settings(model="steady", steps=1)
    one = by_one(crops, tmp_path, told)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    runs = [process(tmp_path, told, environment={**meet, "RANK": str(rank)}) for rank in range(2)]
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0, 0]
    two = last_checkpoint(tmp_path / "out", print)
    gradients = [name for name in one.tensors if name.endswith(".exp_avg")]  # Adam's first moments, after one step
    assert len(gradients) == 8
    assert max(difference(one, two, name) for name in gradients) < 1e-5


def test_processes_under_torchrun_learn_what_one_does_and_go_back_together(crops, tmp_path):
    """Only one of them meets the row that is not a number."""
    told = settings(model="shaky", steps=37)
    one = by_one(crops, tmp_path, told)
    run = torchrun(tmp_path, told, 2)
    assert run.returncode == 0, run.stdout
    two = last_checkpoint(tmp_path / "out", print)
    assert one.facts.seed != 0
    assert (one.facts.step, one.facts.batch, one.facts.seed) == (two.facts.step, two.facts.batch, two.facts.seed)
    assert set(one.tensors) == set(two.tensors)
    assert max(difference(one, two, name) for name in one.tensors if name.startswith("network.")) < 1e-3
    losses, expected = (read_table(tmp_path / out / TABLE)[1] for out in ("out", "one"))
    assert np.allclose(losses, expected, rtol=1e-4)


def difference(a: Checkpoint, b: Checkpoint, name: str) -> float:
    """The largest difference within a tensor, as a part of its largest value."""
    return float((a.tensors[name] - b.tensors[name]).abs().max() / a.tensors[name].abs().max())
