"""`faceplate engine` and `faceplate jobs`, and work that a command has done by the engine: real processes, real kills."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.cli.perform import perform
from host_bridge.client import EngineError, running
from host_bridge.jobs.faces import DetectRequest, DetectResult
from nodes.errors import FaceplateError
from tests.support.clips import cut
from tests.support.live_engine import Live, live_engine
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")


@pytest.fixture(scope="module")
def clip(samples: Path, live: Live) -> Path:
    return cut(samples / "cap13_edit2.mp4", live.work / "clip.mp4", 0, 6)


def test_the_engine_is_started_shown_and_stopped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPLATE_STATE", str(tmp_path))
    status, out, _ = run("engine", "status")
    assert status == 3 and "no engine runs" in out
    assert json.loads(run("engine", "status", "--json")[1])["engine"] is None
    status, out, _ = run("engine", "start", "--idle-stop", "5")
    assert status == 0 and "ends after 5 idle minutes" in out
    told = json.loads(run("engine", "status", "--json")[1])["engine"]
    client = running(tmp_path)
    assert client is not None
    assert told["page"] == f"{client.address.url}/#token={client.address.token}" and told["page"] in out
    assert run("engine", "start", "--idle-stop", "-1")[0] != 0
    assert run("engine", "stop")[:2] == (0, "stopped\n")
    assert run("engine", "stop")[:2] == (0, "no engine runs\n")


def test_folders_are_allowed_and_taken_back(run: Run, live: Live, tmp_path: Path) -> None:
    status, out, _ = run("engine", "allow", tmp_path)
    assert status == 0 and out.splitlines() == [str(live.work.resolve()), str(tmp_path.resolve())]
    assert json.loads(run("engine", "allow", "--json")[1])["folders"] == out.splitlines()
    assert json.loads((live.state / "roots.json").read_text())["schema"] == "faceplate.roots/1"
    assert run("engine", "allow", tmp_path, "--forget")[1].splitlines() == [str(live.work.resolve())]
    status, _, err = run("engine", "allow", tmp_path / "none")
    assert status == 2 and "is no folder" in err
    (live.state / "roots.json").write_text("{")
    assert "is damaged" in run("engine", "allow")[2]
    with pytest.raises(EngineError, match="is damaged"):
        live.client.submit("detect", {"clip": str(live.work / "damaged.mov")})
    (live.state / "roots.json").unlink()


def test_jobs_are_listed_shown_retried_and_their_logs_read(run: Run, live: Live) -> None:
    job = live.client.submit("detect", {"clip": str(live.work / "for the commands.mov")}, wait=30)
    status, out, _ = run("jobs", "list", "--state", "failed")
    assert status == 0 and job["id"] in out and "for the commands.mov" in out
    told = json.loads(run("jobs", "list", "--json", "--limit", "1")[1])
    assert told["jobs"][0]["id"] == job["id"] and not told["more"]
    assert f"{job['error']['message']}\n{job['error']['remedy']}\n" in run("jobs", "show", job["id"])[1]
    assert json.loads(run("jobs", "show", job["id"], "--json")[1])["error"] == job["error"]
    status, _, err = run("jobs", "cancel", job["id"])
    assert status == 2 and "has failed already" in err
    assert "attempt 2" in run("jobs", "retry", job["id"])[1]
    status, out, _ = run("jobs", "logs", job["id"], "--follow")
    assert status == 0
    assert json.loads(run("jobs", "logs", job["id"], "--json")[1])["text"] == out
    status, _, err = run("jobs", "show", "0" * 16)
    assert status == 2 and err.count("\n") == 1 and "no job" in err
    assert run("jobs", "show", "x")[0] == 2


def test_work_in_the_engine_gives_what_it_gives_here(
    live: Live, clip: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(live.work)
    request = DetectRequest(clip=Path("clip.mp4"), out=Path("again.npz"))
    there = perform("detect", request, engine=True)
    assert "frames" in capfd.readouterr().err, "it shows how far it is"
    assert there.faces == live.work / "again.npz"
    here = perform("detect", DetectRequest(clip=clip))
    assert there.tracks == here.tracks


def test_work_that_fails_in_the_engine_ends_as_it_would_here(live: Live) -> None:
    request = DetectRequest(clip=live.work / "no such clip.mov")
    with pytest.raises(FaceplateError) as here:
        perform("detect", request)
    with pytest.raises(FaceplateError) as there:
        perform("detect", request, engine=True)
    told = re.sub(r" \(log: .+?/log\.txt\)\.", "", str(there.value))  # of the job
    assert (told, there.value.exit_status) == (str(here.value), here.value.exit_status)
    with pytest.raises(EngineError, match="faceplate engine allow") as refused:
        perform("detect", DetectRequest(clip=Path("/somewhere/else.mov")), engine=True)
    assert refused.value.exit_status == 2


@posix_only
def test_ctrl_c_cancels_the_job(live: Live, samples: Path) -> None:
    clip = cut(samples / "franck.mp4", live.work / "long.mp4", 0, 200)
    code = (
        "from host_bridge.cli.perform import perform; from host_bridge.jobs.faces import DetectRequest\n"
        f"perform('detect', DetectRequest(clip={str(clip)!r}), engine=True)"
    )
    environment = {**os.environ, "FACEPLATE_CACHE": str(live.state / "cache")}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE)
    wait_for(
        lambda: [j for j in live.client.list(limit=1)["jobs"] if j["title"] == "long.mp4" and j["state"] == "running"]
    )
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=15)[1]
    job = live.client.list(limit=1)["jobs"][0]
    assert (job["title"], job["state"]) == ("long.mp4", "cancelled")


@posix_only
def test_an_engine_that_is_killed_meanwhile_is_started_again_and_the_work_gets_done(
    samples: Path, tmp_path: Path
) -> None:
    with live_engine(tmp_path, FACEPLATE_CACHE=str(tmp_path / "cache")) as live:
        clip = cut(samples / "cap13_edit2.mp4", live.work / "clip.mp4", 0, 40)
        told: list[DetectResult] = []
        work = threading.Thread(target=lambda: told.append(perform("detect", DetectRequest(clip=clip), engine=True)))
        work.start()
        wait_for(lambda: live.client.list("running")["jobs"])
        os.kill(live.client.address.pid, signal.SIGKILL)
        work.join(60)
        assert told and told[0].tracks
        fresh = running(live.state)
        assert fresh is not None and fresh.address.pid != live.client.address.pid
        assert [job["state"] for job in fresh.list()["jobs"]] == ["finished"]
