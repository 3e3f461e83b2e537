"""Kills at random moments, as often as one likes, and what must hold after each and in the end."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.engine_process import Engine, processes
from tests.support.waiting import wait_for

WHAT = ("engine", "child", "both", "engine as it starts")


def storm(
    folder: Path, kills: int, seed: int, clip: Path | None = None, say: Callable[[str], None] = lambda line: None
) -> Counter[str]:
    """Kill the engine, a job's process or both, `kills` times, while jobs of every kind run; returns what was killed and how jobs ended.

    After each kill of the engine nothing of it may live on for two seconds; in the end every job has ended, no file is half written, and
    everything that learns has learnt all its steps without beginning anew.
    """
    draw, told = random.Random(seed), Counter[str]()
    work = folder / "work"
    work.mkdir()
    ids: dict[str, Path | None] = {}
    engine = Engine(folder / "state")
    try:
        for turn in range(kills):
            if not engine.ask("list")["busy"] or turn == 0:
                ids |= _submit(engine, work, turn, clip)
            time.sleep(draw.random() ** 2 * 3)  # often soon, sometimes late
            what = draw.choice(WHAT)
            children = engine.children()
            if what != "engine" and what != "engine as it starts" and children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(draw.choice(children), signal.SIGKILL)
            told[what] += 1
            if what != "child":
                engine.kill()
                engine.close()
                wait_for(lambda: not processes(folder / "state"), 2.0)
                if what == "engine as it starts":
                    early = Engine(folder / "state", ready=False)
                    time.sleep(draw.random() * 0.6)
                    early.kill()
                    early.close()
                    wait_for(lambda: not processes(folder / "state"), 2.0)
                engine = Engine(folder / "state")
            say(f"{turn + 1}: {what}; {dict(Counter(job['state'] for job in engine.jobs().values()))}")
        _ended(engine, ids, told)
    finally:
        engine.close()
    wait_for(lambda: not processes(folder / "state"), 2.0)
    return told


def _submit(engine: Engine, work: Path, turn: int, clip: Path | None) -> dict[str, Path | None]:
    files = [work / f"{turn}-{i}" for i in range(6)]
    jobs = [engine.submit("learn", name=file.name, out=file, steps=30, seconds=1.5) for file in files[:1]]
    jobs += [engine.submit("count", name=file.name, out=file, steps=2000, seconds=0.3) for file in files[1:4]]
    jobs += [engine.submit("quick", name=file.name, out=file, steps=2000, seconds=0.1) for file in files[4:]]
    if clip is not None:
        files.append(work / f"{turn}.npz")
        jobs.append(engine.submit("detect", clip=clip, out=files[-1]))
    return {job["id"]: file for job, file in zip(jobs, files, strict=True)}


def _ended(engine: Engine, ids: dict[str, Path | None], told: Counter[str]) -> None:
    for id, file in ids.items():
        job = engine.ended(id, 120)
        told[job["state"]] += 1
        while job["state"] == "failed":  # killed twice: it says so, and can be asked for again
            assert "its process was killed (SIGKILL), twice" in job["error"]["message"], job
            engine.ask("retry", id=id)
            job = engine.ended(id, 120)
        assert job["state"] == "finished" and job["result"], job
        assert file is not None and file.exists()
        if job["kind"] in ("count", "quick"):
            assert file.read_text().endswith("1999\nend\n")
        elif job["kind"] == "learn":
            starts = [int(line) for line in file.with_suffix(".runs").read_text().split()]
            assert file.read_text() == "30" and starts[0] == 0 and starts == sorted(starts), starts
        else:
            import numpy as np

            with np.load(file, allow_pickle=False) as faces:
                assert faces.files
    assert set(engine.jobs()) == set(ids), "nothing is lost, and nothing made up"
