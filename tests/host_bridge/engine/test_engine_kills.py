"""`kill -9`, of the engine, of a job's process, of both: no job is lost, no process stays."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.clips import cut
from tests.support.engine_process import Engine, alive, parent, processes
from tests.support.engine_storm import storm
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc"),
]


def test_kills_at_random_moments_lose_no_job_and_leave_no_process(samples: Path, tmp_path: Path) -> None:
    clip = cut(samples / "franck.mp4", tmp_path / "short.mp4", 0, 4)
    told = storm(tmp_path, 6, seed=int(os.environ.get("FACEPLATE_TEST_SEED", "5")), clip=clip)
    assert told["finished"] >= 5


def test_a_process_that_is_killed_is_run_once_more_and_then_its_job_fails_and_says_why(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        job = engine.submit("learn", name="model", out=tmp_path / "model", steps=40, seconds=1.6)
        for attempt in (1, 2):
            engine.until(job["id"], lambda j, n=attempt: j["attempt"] == n and j["state"] == "running")
            reached = engine.until(job["id"], lambda j, n=attempt: (j["metrics"] or {"step": 0})["step"] > 5 * n)
            os.kill(engine.children()[0], signal.SIGKILL)
        job = engine.ended(job["id"])
        assert job["state"] == "failed" and job["error"]["exit_status"] == 137
        assert "was killed (SIGKILL), twice." in job["error"]["message"]
        assert job["error"]["remedy"].startswith("Perhaps the memory was used up")
        assert job["messages"] == ["Its process was killed (SIGKILL); it is run once more."]
        assert reached["metrics"]["step"] <= int((tmp_path / "model").read_text()) < 40
        engine.ask("retry", id=job["id"])
        engine.until(job["id"], lambda j: j["state"] == "running" and j["metrics"]["step"] > 15)
        os.kill(engine.children()[0], signal.SIGTERM)  # it ends in good order, but nobody has cancelled it
        job = engine.ended(job["id"])
        assert job["state"] == "finished" and job["attempt"] == 4
        assert "was asked to end (SIGTERM); it is run once more" in job["messages"][-1]
        starts = [int(line) for line in (tmp_path / "model.runs").read_text().split()]
        assert len(starts) == 4 and starts == sorted(starts) and starts[1] > 0, (
            "each went on where the last had come to"
        )


def test_a_machine_that_slept_goes_on_where_it_was(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        job = engine.submit("learn", name="model", out=tmp_path / "model", steps=30, seconds=1.5)
        engine.until(job["id"], lambda j: (j["metrics"] or {"step": 0})["step"] > 3)
        everyone = processes(tmp_path)
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        reached = (tmp_path / "model").read_text()
        time.sleep(3)  # longer than any of the engine's own waits but those for idle processes
        assert (tmp_path / "model").read_text() == reached
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        job = engine.ended(job["id"])
        assert (job["state"], job["attempt"], job["result"]["steps"]) == ("finished", 1, 30)


@pytest.mark.parametrize("name", ["deaf", "stuck"])
def test_when_the_engine_is_killed_its_jobs_and_all_they_started_end_and_wait_for_the_next(
    tmp_path: Path, name: str
) -> None:
    engine = Engine(tmp_path)
    job = engine.submit("hang", name=name, out=tmp_path / "pids")
    engine.until(job["id"], lambda j: j["progress"])
    child, in_its_group, on_its_own = map(int, (tmp_path / "pids").read_text().split())
    if name == "deaf":
        os.kill(child, signal.SIGKILL)  # both at once
    engine.kill()
    wait_for(lambda: not alive(child) and not alive(in_its_group), 2.0)
    assert processes(tmp_path) <= {on_its_own}, "what has left its group is found by the next engine"
    engine.close()
    (tmp_path / "pids").unlink()
    with Engine(tmp_path) as engine:
        assert not alive(on_its_own)
        assert engine.ask("show", id=job["id"])["state"] == "running"
        wait_for((tmp_path / "pids").exists)
        assert engine.ask("cancel", id=job["id"])["state"] == "cancelled"
    assert not processes(tmp_path)


def test_what_a_job_leaves_running_ends_with_it_and_the_guard_may_die_first(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        job = engine.submit("hang", name="deaf", out=tmp_path / "pids")
        engine.until(job["id"], lambda j: j["progress"])
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        (guard,) = [pid for pid in processes(tmp_path) if parent(pid) == pids[0] and pid not in pids]
        memory = int(Path(f"/proc/{guard}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert memory < 16 * 2**20
        os.kill(guard, signal.SIGKILL)
        os.kill(pids[0], signal.SIGKILL)
        wait_for(lambda: not any(map(alive, pids)), 2.0)
        engine.ask("cancel", id=job["id"])


def test_what_its_user_has_cancelled_stays_so_if_the_engine_dies_before_it_is_over(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    job = engine.submit("hang", name="deaf", out=tmp_path / "pids")
    waiting = engine.submit("count", name="next", steps=1)
    engine.until(job["id"], lambda j: j["progress"])
    wal = tmp_path / "jobs.sqlite-wal"
    before = wal.stat().st_size
    engine.tell("cancel", id=job["id"])  # it listens to nothing for a second and a half
    wait_for(lambda: wal.stat().st_size > before)
    engine.kill()
    engine.close()
    with Engine(tmp_path) as engine:
        assert engine.ask("show", id=job["id"])["state"] == "cancelled"
        assert engine.ended(waiting["id"])["state"] == "finished"


def test_a_job_is_there_once_its_submission_was_answered(tmp_path: Path) -> None:
    draw, answered = random.Random(3), []
    for round in range(1, 4):
        engine = Engine(tmp_path)
        end = time.monotonic() + draw.random() * 0.4
        while time.monotonic() < end or len(answered) < 2 * round:  # on a busy machine too there are some
            answered.append(engine.submit("learn", name=f"{len(answered)}", out=tmp_path / "x", seconds=60)["id"])
        engine.tell("submit", kind="learn", request={"name": "unanswered", "seconds": 60})
        engine.kill()
        engine.close()
    with Engine(tmp_path) as engine:
        jobs = engine.jobs()
        assert set(answered) <= set(jobs) and len(answered) > 5
        assert [id for id in reversed(jobs) if id in answered] == answered
        assert sum(job["state"] == "running" for job in jobs.values()) == 1
