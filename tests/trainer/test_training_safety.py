"""What may go wrong in a training, made to go wrong: killed processes, full disks, flipped bytes, numbers that are none."""

from __future__ import annotations

import hashlib
import json
import random
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nodes.errors import FaceplateError, ModelError, OutputError, SchemaError
from tests.support.consents import source_and_target  # noqa: F401
from tests.support.tiny_training import Listener, Shaky, Tiny, fit, plain_faceset, process, read_table, settings
from tests.support.waiting import wait_for
from trainer.checkpoint import SCHEMA, checkpoints, last_checkpoint, read_checkpoint
from trainer.faceset import Faceset
from trainer.hooks.monitoring import TABLE
from trainer.hooks.safety import trouble
from trainer.hooks.stopping import StopAtStep
from trainer.loop import Hook, Loop
from trainer.network import Share
from trainer.training import Training

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def pair(crops: Path) -> tuple[Faceset, Faceset]:
    return plain_faceset(crops, "source"), plain_faceset(crops, "target")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow larger: writing fails as it does on a full disk, with another number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_training_killed_at_random_and_resumed_is_bit_equal_to_one_that_was_not(crops, pair, tmp_path):
    whole = fit(pair, tmp_path / "whole", settings(steps=400), kind=Tiny)
    for name in ("source", "target"):
        shutil.copy(crops / f"{name}.npy", tmp_path)
    told, out = settings(steps=400, checkpoint_every=0.03), tmp_path / "out"
    reached = 0
    for resume in ((), ("resume",)):
        run = process(tmp_path, told, *resume)
        at = reached + random.randint(10, 120)
        wait_for(lambda at=at: any(file.stem >= f"step-{at:09d}" for file in checkpoints(out)), 60)
        time.sleep(random.uniform(0, 0.03))
        run.kill()
        run.join()
        assert run.exitcode == -signal.SIGKILL, "it was faster than the test"
        reached = last_checkpoint(out, print).facts.step
        assert at <= reached < 400
    run = process(tmp_path, told, "resume")
    run.join(60)
    assert run.exitcode == 0

    ours, theirs = read_checkpoint(whole.checkpoint), last_checkpoint(out, print)
    assert theirs.facts.step == 400
    assert set(ours.tensors) == set(theirs.tensors)
    assert all(torch.equal(value, theirs.tensors[name]) for name, value in ours.tensors.items())
    assert (tmp_path / "whole" / TABLE).read_bytes() == (out / TABLE).read_bytes()
    assert not list((out / "checkpoints").glob(".*"))


def test_a_full_disk_leaves_the_last_checkpoint_and_does_not_stop_training_before_its_end(pair, tmp_path):
    first = fit(pair, tmp_path, settings(steps=20), kind=Tiny)
    told = Listener()
    with files_up_to(100_000), pytest.raises(OutputError, match=r"step-000000060\.\w+: cannot be written"):
        fit(pair, tmp_path, settings(steps=60, checkpoint_every=1e-6), told, kind=Tiny, resume=True)
    assert "No checkpoint at step 30; training goes on" in told.lines[0]
    assert len(told.lines) >= 3
    assert checkpoints(tmp_path) == [first.checkpoint]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    assert fit(pair, tmp_path, settings(steps=60), kind=Tiny, resume=True).step == 60


@pytest.mark.parametrize("ending", [".safetensors", ".json"])
def test_a_checkpoint_with_a_flipped_byte_is_refused_and_the_one_before_is_used(pair, tmp_path, ending):
    last = fit(pair, tmp_path, settings(steps=40, checkpoint_every=1e-6), kind=Tiny).checkpoint
    damaged = last.with_suffix(ending)
    data = bytearray(damaged.read_bytes())
    at = len(data) // 2 if ending == ".safetensors" else data.index(b'"step": 40') + 8
    data[at] ^= 1
    damaged.write_bytes(data)
    told = Listener()
    assert last_checkpoint(tmp_path, told.message).facts.step == 30
    assert told.lines == [f"{last}: is damaged and not used. The one before it is used, if there is one."]
    assert fit(pair, tmp_path, settings(steps=40), kind=Tiny, resume=True).step == 40
    for file in (tmp_path / "checkpoints").iterdir():
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ModelError, match="none of its checkpoints is sound"):
        last_checkpoint(tmp_path, told.message)


def test_a_checkpoint_of_a_newer_faceplate_is_refused(pair, tmp_path):
    file = fit(pair, tmp_path, settings(steps=5), kind=Tiny).checkpoint
    document = json.loads(file.read_bytes())
    del document["sha256"]
    document["schema"] = SCHEMA[:-1] + "2"
    document["sha256"] = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps(document))
    with pytest.raises(SchemaError, match="newer Faceplate"):
        fit(pair, tmp_path, settings(steps=9), kind=Tiny, resume=True)


def test_a_batch_that_is_not_a_number_is_rolled_back_and_training_goes_on(pair, tmp_path):
    told = Listener()
    trained = fit(pair, tmp_path, settings(steps=150), told, kind=Shaky)
    assert told.lines == ["Step 30: the loss is not finite; back to step 20, with other batches."]
    rows = read_table(tmp_path / TABLE)[1]
    assert rows[:, 0].tolist() == list(range(1, 151))
    assert np.isfinite(rows).all()
    assert rows[-10:, 2].mean() < rows[:5, 2].mean()
    assert read_checkpoint(trained.checkpoint).facts.seed != 0
    assert all(p.isfinite().all() for p in trained.network.parameters())


def test_a_network_that_collapses_is_taken_back(pair, tmp_path):
    class Collapses(Tiny):
        def batches(self, facesets, share: Share):
            made = super().batches(facesets, share)

            def batch(step):
                if step == 92 and share.seed == 0:
                    with torch.no_grad():
                        for p in self.decoders.parameters():
                            p.mul_(-300)
                return made(step)

            return batch

    told = Listener()
    trained = fit(pair, tmp_path, settings(steps=120, learning_rate=5e-3), told, kind=Collapses)
    assert len(told.lines) == 1
    assert "the loss has collapsed" in told.lines[0]
    assert "back to step 90" in told.lines[0]
    assert trained.loss < 0.3


def test_trouble_is_told_from_the_noise_of_batches():
    noise = np.random.default_rng(1)
    past = noise.lognormal(0, 0.3, (200, 3)).astype(np.float32)
    new = noise.lognormal(0, 0.3, (10, 3)).astype(np.float32)
    assert trouble(past, new) == ""
    assert trouble(past, new * [[1, 50, 50]] * (np.arange(10)[:, None] == 3) + new) == ""  # a single odd batch
    assert trouble(past, new * [[1, 5, 5]]).startswith("the loss has collapsed")
    assert trouble(past, new * [[1e-7, 1, 1]]) == "the gradient has vanished"
    overflown = np.where(np.arange(3) == 0, np.float32(np.inf), new)
    assert trouble(past, overflown) == "the gradient is not finite"
    assert trouble(past, overflown, scaled=True) == ""


def test_a_training_that_keeps_failing_ends_with_an_error_and_its_last_sound_checkpoint(pair, tmp_path):
    class Fails(Tiny):
        def forward(self, batch):
            losses = super().forward(batch)
            self.count = getattr(self, "count", 0) + 1
            return {**losses, "source": losses["source"] * torch.nan} if self.count > 25 else losses

    told = Listener()
    with pytest.raises(FaceplateError, match=r"keeps failing: the loss is not finite.*learning rate"):
        fit(pair, tmp_path, settings(steps=1000, checkpoint_every=1e-6), told, kind=Fails)
    assert len(told.lines) == 4
    found = last_checkpoint(tmp_path, print)
    assert found.facts.step == 20
    assert all(value.isfinite().all() for value in found.tensors.values())


class Sick(Tiny):
    """A network none of whose batches is a number until the third stream of random numbers, or for ever."""

    streams = 2

    def batches(self, facesets, share: Share):
        made, sick = super().batches(facesets, share), share.seed < self.streams * 7_919
        return lambda step: [b * torch.nan if sick and step >= 15 else b for b in made(step)]


@pytest.mark.parametrize("asked", [5, 17, 20])
def test_a_stop_that_is_asked_for_outlives_a_rollback(pair, tmp_path, asked):
    told = Listener()

    class Asks(Hook):
        def after_step(self, loop: Loop) -> None:
            if loop.step == asked:
                loop.ask_to_stop("somebody asked")

    class Asked(Training):
        def _hooks(self, every: int) -> list[Hook]:
            return [Asks(), *super()._hooks(every)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.train.Training", Asked)
        trained = fit(pair, tmp_path, settings(steps=200), told, kind=Sick)
    assert trained.reason == "somebody asked"
    assert trained.step <= asked
    assert all(p.isfinite().all() for p in trained.network.parameters())


def test_a_rollback_from_the_last_step_trains_on_to_it(pair, tmp_path):
    told = Listener()
    trained = fit(pair, tmp_path, settings(steps=20), told, kind=Sick)
    assert len(told.lines) == 2
    assert (trained.step, trained.reason) == (20, "20 steps done")


def test_a_rollback_to_the_very_start_draws_no_curve_of_nothing(pair, tmp_path):
    class Sicker(Sick):
        def batches(self, facesets, share: Share):
            made, sick = Tiny.batches(self, facesets, share), share.seed == 0
            return lambda step: [b * torch.nan if sick else b for b in made(step)]

    trained = fit(pair, tmp_path, settings(steps=20), kind=Sicker)
    assert trained.step == 20
    assert len(read_table(tmp_path / TABLE)[1]) == 20


def test_patience_that_is_used_up_is_not_new_after_a_resume(pair, tmp_path):
    class Hopeless(Sick):
        streams = 10**6

    class Gone(Exception):
        pass

    class Leaves(Listener):
        def message(self, line: str) -> None:
            super().message(line)
            if len(self.lines) == 3:
                raise Gone

    with pytest.raises(Gone):
        fit(pair, tmp_path, settings(steps=200), Leaves(), kind=Hopeless)
    assert last_checkpoint(tmp_path, print).facts.rollbacks == 2
    told = Listener()
    with pytest.raises(FaceplateError, match="keeps failing"):
        fit(pair, tmp_path, settings(steps=200), told, kind=Hopeless, resume=True)
    assert len(told.lines) == 2


def test_memory_that_runs_out_once_gradients_are_unscaled_is_tried_again():
    fails = iter([True, True])

    class Batches:
        def __call__(self, step):
            return torch.ones(2, 3)

    class Net(torch.nn.Linear):
        def forward(self, batch):
            return {"all": super().forward(batch).square().mean()}

    class Tight(torch.optim.Adam):
        def step(self, closure=None):
            if next(fails, False):
                raise torch.OutOfMemoryError("no memory")
            return super().step(closure)

    class Smaller(Hook):
        def after_out_of_memory(self, loop: Loop) -> bool:
            return True

    for clip in (None, 1.0):
        fails, network = iter([True, True]), Net(3, 1)
        scaler = torch.amp.GradScaler("cpu")
        loop = Loop(network, Batches(), Tight(network.parameters()), (Smaller(), StopAtStep(3)), None, scaler, clip)
        loop.run()
        assert (loop.step, scaler.get_scale()) == (3, 65536.0)


def test_two_trainings_in_one_folder_refuse_each_other(crops, pair, tmp_path):
    for name in ("source", "target"):
        shutil.copy(crops / f"{name}.npy", tmp_path)
    run = process(tmp_path, settings(minutes=5))
    try:
        owner = tmp_path / "out" / ".training.pid"
        wait_for(lambda: owner.exists() and owner.read_text().strip(), 60)
        with pytest.raises(OutputError, match=rf"another training is at work in this folder \(process {run.pid}\)"):
            fit(pair, tmp_path / "out", settings(steps=5), kind=Tiny)
        wait_for(lambda: (tmp_path / "out" / TABLE).exists(), 60)
        run.terminate()  # asked to end, it ends in good order
        run.join(30)
        assert run.exitcode == 0
    finally:
        run.kill()
    step = last_checkpoint(tmp_path / "out", print).facts.step
    assert step > 0
    assert fit(pair, tmp_path / "out", settings(steps=step + 5), kind=Tiny, resume=True).step == step + 5


def test_a_training_goes_on_with_other_crops_and_says_so(crops, pair, tmp_path):
    fit(pair, tmp_path / "out", settings(steps=30), kind=Tiny)
    told = Listener()
    again = replace(plain_faceset(crops, "source"), digest="another")
    fit((again, plain_faceset(crops, "target")), tmp_path / "out", settings(steps=40), told, kind=Tiny, resume=True)
    assert told.lines == ["The faceset of the source is another than before; training goes on with it."]
