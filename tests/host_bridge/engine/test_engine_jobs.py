"""The queue of the engine, with real child processes: what runs when, what is told of it, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from host_bridge.engine.queue import Queue
from host_bridge.engine.run import MOST_POINTS, Rate, extended
from host_bridge.engine.supervisor import Supervisor
from tests import ROOT
from tests.support.clips import cut
from tests.support.engine_kinds import KINDS, Plain
from tests.support.engine_process import Engine, Refused, alive, processes
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for the tests that do it no harm."""
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


def test_a_job_runs_to_its_end_and_tells_how_far_it_is(engine: Engine, tmp_path: Path) -> None:
    job = engine.submit("count", name="one", out=tmp_path / "one.txt", steps=20, seconds=0.6)
    assert job["new"] and job["title"] == "one" and job["device"] == "cpu" and job["priority"] == 10
    seen = engine.until(job["id"], lambda j: j["progress"] and j["progress"]["left"])["progress"]
    assert seen["stage"] == "count" and 0 < seen["done"] < 20 and seen["total"] == 20
    assert 15 < seen["rate"] < 40 and 0 < seen["left"] < 1.5
    job = engine.ended(job["id"])
    assert job["state"] == "finished" and job["result"]["counted"] == 20 and job["error"] is None
    assert job["created"] <= job["started"] <= job["ended"]
    assert (tmp_path / "one.txt").read_text().endswith("end\n")
    assert (engine.folder / "jobs" / job["id"] / "log.txt").read_text().count("counting one\n") == 1
    assert {"seq", "key", "lane"}.isdisjoint(job)
    json.dumps(job, allow_nan=False)


def test_of_what_waits_the_highest_priority_goes_first_and_then_the_oldest(engine: Engine) -> None:
    first = engine.submit("count", name="first", seconds=0.3)
    engine.until(first["id"], lambda j: j["state"] == "running")
    low = engine.submit("count", name="low", steps=1)
    lower = engine.ask("submit", kind="count", request={"name": "lower", "steps": 1}, priority=5)
    low2 = engine.ask("submit", kind="count", request={"name": "lower too", "steps": 1}, priority=5)
    high = engine.ask("submit", kind="count", request={"name": "high", "steps": 1}, priority=50)
    assert {job["state"] for job in (low, lower, low2, high)} == {"queued"}
    order = (first, high, low, lower, low2)
    jobs = [engine.ended(job["id"]) for job in order]
    spans = [(job["started"], job["ended"]) for job in jobs]
    assert all(a[1] <= b[0] for a, b in pairwise(spans)), spans


def test_a_preview_runs_on_its_warm_process_beside_a_training_and_the_next_is_there_at_once(engine: Engine) -> None:
    training = engine.submit("hang", name="a long one", out=engine.folder / "hang")
    first, second = (engine.ended(engine.submit("quick", name=name, steps=1)["id"]) for name in "ab")
    begin = time.monotonic()
    third = engine.ended(engine.submit("quick", name="c", steps=1)["id"])
    assert time.monotonic() - begin < 0.2
    assert first["result"]["pid"] == second["result"]["pid"] == third["result"]["pid"]
    assert (engine.folder / "jobs" / third["id"] / "log.txt").read_text().count("counting c\n") == 1
    assert engine.ask("show", id=training["id"])["state"] == "running"
    engine.ask("cancel", id=training["id"])


def test_a_job_that_is_cancelled_ends_within_two_seconds_with_all_it_started_even_if_it_does_not_listen(
    engine: Engine, tmp_path: Path
) -> None:
    job = engine.submit("hang", name="deaf", out=tmp_path / "pids")
    waiting = engine.submit("count", name="never", steps=1)
    assert engine.ask("cancel", id=waiting["id"])["state"] == "cancelled"
    engine.until(job["id"], lambda j: j["progress"])
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 3 and all(map(alive, pids))
    begin = time.monotonic()
    job = engine.ask("cancel", id=job["id"])
    assert time.monotonic() - begin < 2
    assert job["state"] == "cancelled" and job["error"] is None and not any(map(alive, pids))
    assert engine.ask("cancel", id=job["id"])["state"] == "cancelled", "again is no error"
    assert engine.ask("show", id=waiting["id"])["started"] is None


def test_a_job_that_listens_ends_in_good_order_when_it_is_cancelled_and_goes_on_when_it_is_retried(
    engine: Engine, tmp_path: Path
) -> None:
    job = engine.submit("learn", name="model", out=tmp_path / "model", steps=60, seconds=3)
    engine.until(job["id"], lambda j: (j["metrics"] or {"step": 0})["step"] > 3)
    begin = time.monotonic()
    assert engine.ask("cancel", id=job["id"])["state"] == "cancelled"
    assert time.monotonic() - begin < 1
    reached = int((tmp_path / "model").read_text())
    again = engine.ask("retry", id=job["id"])
    assert again["attempt"] == 2 and again["state"] in ("queued", "running")
    done = engine.ended(job["id"])
    assert done["state"] == "finished" and done["result"] == {"steps": 60, "loss": None}
    assert (tmp_path / "model.runs").read_text().split() == ["0", str(reached)]
    assert done["metrics"]["step"] == 60 and done["progress"]["left"] == 0
    steps = [step for step, _ in done["curve"]]
    assert steps == sorted(set(steps)) and steps[0] == 1 and steps[-1] == 60
    with pytest.raises(Refused, match="is finished"):
        engine.ask("retry", id=job["id"])
    with pytest.raises(Refused, match="has finished already"):
        engine.ask("cancel", id=job["id"])


@pytest.mark.parametrize(
    ("name", "message", "remedy", "status", "log"),
    [
        ("theirs", "clip.mov, frame 7: has no frames.", "Record it again", 3, "about to fail\n"),
        (
            "ours",
            "internal error: ZeroDivisionError: of our own",
            "Look into the log, which says where",
            1,
            "in fail\n    raise",
        ),
        (
            "leave",
            "its process ended without a word (exit status 3), twice.",
            "See its log",
            3,
            "--- attempt 2\n",
        ),
    ],
)
def test_a_job_that_fails_says_why_and_what_to_do(
    engine: Engine, name: str, message: str, remedy: str, status: int, log: str
) -> None:
    job = engine.ended(engine.submit("fail", name=name)["id"])
    assert job["state"] == "failed"
    file = engine.folder / "jobs" / job["id"] / "log.txt"
    wanted = {"message": f"{message} (log: {file})", "remedy": remedy, "action": None, "exit_status": status}
    assert job["error"] == wanted
    assert log in file.read_text()
    if name == "theirs":
        again = engine.ask("retry", id=job["id"])
        assert again["error"] is None and again["attempt"] == 2
        assert engine.ended(job["id"])["error"]["message"] == f"{message} (log: {file})"


def test_the_same_work_is_done_once_until_something_it_read_or_wrote_has_changed(
    engine: Engine, tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out.txt"
    source.mkdir()
    (source / "a.txt").write_text("a")
    work = {"name": "same", "reads_from": source, "out": out, "steps": 1}
    first, second = engine.submit("quick", **work), engine.submit("quick", **work)
    assert first["new"] and not second["new"] and first["id"] == second["id"]
    engine.ended(first["id"])
    at_once = engine.submit("quick", **work)
    assert not at_once["new"] and at_once["state"] == "finished" and at_once["id"] == first["id"]
    assert engine.submit("quick", **{**work, "steps": 2})["new"]

    def anew() -> None:
        again = engine.submit("quick", **work)
        assert again["new"]
        engine.ended(again["id"])
        assert not engine.submit("quick", **work)["new"]

    out.write_text("somebody else's")
    anew()
    out.unlink()
    anew()
    (source / "b.txt").write_text("b")
    anew()


def test_a_sequence_counts_by_its_files(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.0001.png").write_text("1")
    work = {"name": "sequence", "reads_from": tmp_path / "a.%04d.png", "steps": 1}
    engine.ended(engine.submit("quick", **work)["id"])
    assert not engine.submit("quick", **work)["new"]
    (tmp_path / "a.0002.png").write_text("2")
    assert engine.submit("quick", **work)["new"]


def test_what_a_job_tells_is_bounded_and_its_pictures_are_copies(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(b"picture")
    job = engine.ended(engine.submit("tell", reads_from=tmp_path / "sheet.png", steps=1000)["id"])
    assert job["messages"][-1] == "message 59" and len(job["messages"]) == 50
    assert 100 <= len(job["curve"]) <= 200 and job["curve"][0][0] == 0 and job["curve"][-1][0] > 980
    assert job["pictures"] == ["sheet.png"] and job["preview"] == f"/v1/jobs/{job['id']}/preview?v=1"
    folder = engine.folder / "jobs" / job["id"]
    assert (folder / "preview.png").read_bytes() == (folder / "pictures" / "sheet.png").read_bytes() == b"picture"
    assert job["result"] == {"inf": None, "path": str(tmp_path / "sheet.png")}
    assert "no preview: " in (folder / "log.txt").read_text()


def test_the_real_detect_finds_its_face_and_answers_at_once_the_second_time(
    engine: Engine, samples: Path, tmp_path: Path
) -> None:
    clip = cut(samples / "franck.mp4", tmp_path / "short.mp4", 0, 6)
    job = engine.ended(engine.submit("detect", clip=clip, out=tmp_path / "faces.npz")["id"])
    assert job["state"] == "finished", job["error"]
    assert [t["frames"] for t in job["result"]["tracks"]] and job["progress"]["done"] == job["progress"]["total"]
    with np.load(tmp_path / "faces.npz", allow_pickle=False) as faces:
        assert faces.files
    assert not engine.submit("detect", clip=clip, out=tmp_path / "faces.npz")["new"]
    gone = engine.ended(engine.submit("detect", clip=tmp_path / "none.mp4")["id"])
    assert gone["state"] == "failed" and "none.mp4" in gone["error"]["message"] and gone["error"]["exit_status"] == 3


def test_listeners_hear_of_a_job_five_times_a_second_and_the_disk_twice(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(b"picture")
    wal, heard, written = tmp_path / "jobs.sqlite-wal", [], set()

    async def run() -> None:
        supervisor = Supervisor(
            Queue(tmp_path / "jobs.sqlite"), tmp_path, kinds=KINDS, module="tests.support.engine_kinds"
        )
        await supervisor.start()
        request = Plain(reads_from=tmp_path / "sheet.png", steps=2000, seconds=2)
        job, _ = await supervisor.submit("tell", request)

        async def listen() -> None:
            async for changed in supervisor.changes():
                heard.append((changed, time.monotonic()))

        async def look() -> None:
            while True:
                written.add(wal.stat().st_size)
                await asyncio.sleep(0.005)

        tasks = [asyncio.create_task(listen()), asyncio.create_task(look())]
        job = await supervisor.wait(job.id, 20)
        assert job.state == "finished"
        while heard[-1][0].state != "finished":
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        while supervisor.busy:
            await asyncio.sleep(0.01)
        await supervisor.stop()
        supervisor.queue.close()

    os.environ["PYTHONPATH"] = str(ROOT)
    begin = time.monotonic()
    asyncio.run(run())
    seconds = time.monotonic() - begin
    assert heard[-1][0].state == "finished"
    assert len(heard) > 6 and min(b[1] - a[1] for a, b in pairwise(heard)) > 0.15
    assert 4 <= len(written) <= 2 * seconds + 5, "twice a second, and when the state changes"


def test_a_clock_that_goes_back_changes_neither_order_nor_estimates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    store = Queue(tmp_path / "jobs.sqlite")
    fields = {"kind": "count", "title": "", "request": {}, "lane": "device", "device": "cpu"}
    ids = [store.add(id=f"{i:016x}", key=str(i), **fields).id for i in range(5)]
    assert [job.id for job in store.list()] == ids[::-1]
    assert [job.id for job in store.list(before=ids[2])] == [ids[1], ids[0]]
    assert store.next("device").id == ids[0]
    rate = Rate()
    rate.progress("a", 0, 100)
    begin = time.monotonic()
    wait_for(lambda: time.monotonic() - begin > 0.3)
    assert 20 < rate.progress("a", 10, 100)["rate"] < 35
    store.close()


def test_a_curve_keeps_its_shape_in_two_hundred_points_however_long_it_gets() -> None:
    curve: list[tuple[float, float]] = []
    for step in range(10, 200_000, 10):
        curve = extended(curve, step, 1 / step)
        assert len(curve) <= MOST_POINTS
    steps = np.array(curve)[:, 0]
    gaps = np.diff(steps)
    assert steps[0] == 10 and steps[-1] > 190_000 and gaps.max() <= 2 * gaps.min() and len(curve) >= MOST_POINTS / 2
    back = extended(curve, 100_000, 0.5)
    assert back[-1][0] <= 100_000, "a training that goes on from a checkpoint takes back what came after it"


def test_the_engines_own_process_loads_nothing_heavy() -> None:
    code = "import sys, host_bridge.engine.supervisor; print([m for m in %r if m in sys.modules])"
    heavy = ("torch", "onnxruntime", "cv2", "av", "scipy", "matplotlib", "OpenImageIO", "PyOpenColorIO")
    assert subprocess.check_output([sys.executable, "-c", code % (heavy,)], text=True).strip() == "[]"


def test_an_engine_that_is_stopped_leaves_no_process_and_its_jobs_to_the_next(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        job = engine.submit("learn", name="model", out=tmp_path / "model", steps=40, seconds=2)
        engine.ended(engine.submit("quick", name="warm", steps=1)["id"])
        engine.until(job["id"], lambda j: (j["metrics"] or {"step": 0})["step"] > 3)
        begin = time.monotonic()
        engine.ask("stop")
        assert time.monotonic() - begin < 2
        wait_for(lambda: not processes(tmp_path))
        reached = int((tmp_path / "model").read_text())
    with Engine(tmp_path) as engine:
        done = engine.ended(job["id"])
        assert done["state"] == "finished" and done["attempt"] == 1
        assert (tmp_path / "model.runs").read_text().split() == ["0", str(reached)]
