"""The queue on disk: what happens when the disk is full, the folder read-only, the file somebody else's."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_bridge.engine.job import Conflict, NotFound
from host_bridge.engine.queue import Queue
from host_bridge.engine.supervisor import Supervisor
from nodes.errors import OutputError, SchemaError
from tests.support.disks import lock, tiny_disk, without_roots_powers  # noqa: F401
from tests.support.engine_process import Engine, Refused
from tests.support.waiting import wait_for

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts, capabilities and /proc of Linux")


def add(store: Queue, name: str = "a", **fields: Any) -> str:
    given = {"kind": "count", "title": name, "request": {"name": name}, "key": name, "lane": "device", "device": "cpu"}
    return store.add(**{"id": f"{abs(hash(name)):016x}"[:16], **given, **fields}).id


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Queue]:
    with_file = Queue(tmp_path / "jobs.sqlite")
    yield with_file
    with_file.close()


def test_what_is_changed_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    store = Queue(tmp_path / "state" / "jobs.sqlite")
    id = add(store, "a", priority=3)
    store.change(id, state="failed", error={"message": "m", "exit_status": 4}, curve=[[1, 0.5]], messages=["ä"])
    store.note(id, progress={"stage": "s", "done": 1, "total": None, "rate": None, "left": None})
    seen = store.get(id)
    store.close()
    again = Queue(tmp_path / "state" / "jobs.sqlite")
    assert again.get(id) == seen and seen and seen.progress and seen.error and seen.messages == ["ä"]
    assert (tmp_path / "state" / "jobs.sqlite").stat().st_mode & 0o777 == 0o600
    again.close()


def test_a_failed_job_of_an_earlier_version_whose_remedy_was_in_its_message_is_read_as_one_without(
    store: Queue,
) -> None:
    id = add(store)
    store.change(id, state="failed", error={"message": "is damaged. Record it again.", "exit_status": 3})
    read = store.get(id)
    assert read and read.model_dump(mode="json")["error"] == {
        "message": "is damaged. Record it again.",
        "remedy": None,
        "action": None,
        "exit_status": 3,
    }


def test_jobs_are_listed_newest_first_by_state_and_in_pages(store: Queue) -> None:
    ids = [add(store, str(i)) for i in range(7)]
    store.change(ids[2], state="finished")
    store.note(ids[6], title="noted")
    assert [job.id for job in store.list()] == ids[::-1] and store.list()[0].title == "noted"
    assert [job.id for job in store.list(limit=2, before=ids[5])] == [ids[4], ids[3]]
    assert [job.id for job in store.list(state="finished")] == [ids[2]]
    assert [job.id for job in store.active()] == [id for id in ids if id != ids[2]] and store.count("queued") == 6
    assert store.list(before="nobody") == [] and store.find("nobody") is None
    with pytest.raises(NotFound, match="there is no job 'nobody'"):
        store.change("nobody", state="failed")


def test_what_ran_waits_again_and_what_was_to_be_cancelled_is(store: Queue) -> None:
    ran, leaving, waits, done = (add(store, name) for name in "abcd")
    store.change(ran, state="running", started=1.0)
    store.change(leaving, state="running", cancelling=True)
    store.change(done, state="finished")
    assert [job.id for job in store.requeue_running()] == [ran]
    states = {job.id: job.state for job in store.list()}
    assert states == {ran: "queued", leaving: "cancelled", waits: "queued", done: "finished"}
    job = store.next("device")
    assert job and job.id == ran and job.again and job.started is None


def test_only_the_newest_of_what_has_ended_is_kept_and_fewer_of_what_is_short(store: Queue) -> None:
    ids = [add(store, str(i)) for i in range(10)]
    short = [add(store, f"s{i}", lane="preview") for i in range(10)]
    for id in ids[:8] + short:
        store.change(id, state="finished")
    assert set(store.prune(3, 1)) == set(ids[:5] + short[:9])
    assert [job.id for job in store.list()] == [short[9], *ids[:4:-1]]


def test_two_engines_cannot_own_one_queue(tmp_path: Path) -> None:
    store = Queue(tmp_path / "jobs.sqlite")
    with pytest.raises(Conflict, match=r"jobs.sqlite: belongs to an engine that runs already. Use that one"):
        Queue(tmp_path / "jobs.sqlite")
    with pytest.raises(Refused, match="belongs to an engine that runs already"):
        Engine(tmp_path)
    add(store)
    store.close()
    again = Queue(tmp_path / "jobs.sqlite")
    assert len(again.list()) == 1
    again.close()


def test_a_file_that_is_damaged_or_of_a_newer_faceplate_is_refused_and_left_alone(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database" * 500)
    with pytest.raises(SchemaError, match=r"is damaged. Move it away"):
        Queue(damaged)
    assert damaged.read_bytes() == b"no database" * 500
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SchemaError, match="was written by a newer Faceplate"):
        Queue(newer)


@linux
@pytest.mark.parametrize("existing", [True, False])
def test_a_state_folder_that_is_read_only_is_a_clear_error(tmp_path: Path, existing: bool) -> None:
    folder = tmp_path / "state"
    if existing:
        Queue(folder / "jobs.sqlite").close()
        (folder / "jobs.sqlite").chmod(0o400)
    folder.mkdir(exist_ok=True)
    lock(folder)
    with pytest.raises(
        Refused, match=r"cannot be written: (permission denied|.* read-only or not yours)\. Make it writable"
    ):
        Engine(folder, prepare=without_roots_powers)


@linux
def test_on_a_full_disk_nothing_is_lost_and_all_goes_on_when_there_is_room(tiny_disk: Path) -> None:  # noqa: F811
    with Engine(tiny_disk) as engine:
        runs = engine.submit("count", name="runs", seconds=0.6)
        waits = engine.submit("count", name="waits", steps=1)
        engine.until(runs["id"], lambda j: j["progress"])
        filler = tiny_disk / "filler"
        with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        with pytest.raises(Refused, match=r"cannot be written: the disk is full. Free some space"):
            for i in range(100):
                engine.submit("count", name=f"{i} {'x' * 5000}", steps=1)
        trouble = wait_for(lambda: engine.ask("trouble")["trouble"])
        assert "the disk is full" in trouble
        done = engine.ended(runs["id"])
        assert done["state"] == "finished", "what has come of it is kept, and told"
        assert engine.ask("show", id=waits["id"])["state"] == "queued"
        filler.unlink()
        assert engine.ended(waits["id"])["state"] == "finished"
        assert engine.ask("trouble")["trouble"] is None
        engine.kill()
    with Engine(tiny_disk) as engine:
        jobs = engine.jobs()
        assert jobs[runs["id"]]["state"] == jobs[waits["id"]]["state"] == "finished"


def test_a_thousand_jobs_are_no_load(store: Queue) -> None:
    """A generous bound for busy machines; the benchmark says what it really takes."""
    for i in range(1000):
        add(store, str(i))
    begin = time.monotonic()
    id = add(store, "one more")
    listed = store.list(limit=1001)
    assert time.monotonic() - begin < 0.5 and listed[0].id == id and len(listed) == 1001


def test_a_disk_that_stays_full_is_tried_once_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    class Full(Queue):
        def flush(self) -> None:
            tried.append(time.monotonic())
            if len(tried) < 30:
                raise OutputError("cannot be written: the disk is full")

    async def main() -> None:
        supervisor = Supervisor(Full(tmp_path / "jobs.sqlite"), tmp_path, kinds={}, module="none")
        await supervisor.start()
        for _ in range(10):
            supervisor._start_next()
        tried.clear()
        await asyncio.sleep(0.22)
        assert 5 <= len(tried) <= 12
        tried.extend([0.0] * 30)
        await supervisor.stop(0)

    monkeypatch.setattr("host_bridge.engine.supervisor.WRITE_EVERY", 0.02)
    asyncio.run(main())
