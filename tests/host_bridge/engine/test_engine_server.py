"""The engine as a process and over HTTP: real processes, real kills, real jobs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from docs.reference import made_anew
from host_bridge.client import Client, EngineError, connect, read_address, running
from host_bridge.engine.api import make_app
from host_bridge.jobs import KINDS
from nodes.definitions import NODES
from tests import ROOT
from tests.support.clips import cut
from tests.support.live_engine import Live, events, gone, live_engine
from tests.support.waiting import wait_for

posix_only = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")


@pytest.fixture(scope="module")
def clip(samples: Path, live: Live) -> Path:
    return cut(samples / "cap13_edit2.mp4", live.work / "clip.mp4", 0, 6)


# ---- one engine, its start and its end


@posix_only
def test_a_second_engine_finds_the_first_one_and_leaves(live: Live) -> None:
    done = subprocess.run([sys.executable, "-m", "host_bridge.engine"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert "an engine runs already" in done.stderr
    assert read_address(live.state) == live.client.address


@posix_only
def test_an_engine_that_was_killed_leaves_a_file_that_fools_nobody(tmp_path: Path) -> None:
    first = connect(tmp_path)
    os.kill(first.address.pid, signal.SIGKILL)
    wait_for(lambda: gone(first.address.pid))
    assert (tmp_path / "engine.json").exists()
    assert running(tmp_path) is None
    second = connect(tmp_path)
    assert second.address.token != first.address.token
    second.stop()
    assert not (tmp_path / "engine.json").exists()


@posix_only
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None])
def test_it_ends_in_good_order_however_it_is_told_to(tmp_path: Path, how: signal.Signals | None) -> None:
    client = connect(tmp_path)
    listening = threading.Thread(target=lambda: list(events(client)))
    listening.start()
    if how is None:
        client.stop()
    else:
        os.kill(client.address.pid, how)
    wait_for(lambda: gone(client.address.pid))
    listening.join(5)
    assert not listening.is_alive(), "who listens is told"
    assert not (tmp_path / "engine.json").exists()
    assert "the engine has ended" in (tmp_path / "engine.log").read_text()
    assert "Traceback" not in (tmp_path / "engine.log").read_text()


@posix_only
def test_it_ends_by_itself_when_nobody_wants_anything_even_if_somebody_listens(tmp_path: Path) -> None:
    client = connect(tmp_path, idle_stop=1 / 60)
    assert client.status()["idle_stop"] == pytest.approx(1 / 60, abs=1e-4)
    seen = events(client)
    assert next(seen)[0] == "hello"
    began = time.monotonic()
    wait_for(lambda: gone(client.address.pid), 10)
    assert time.monotonic() - began > 0.8
    assert list(seen) == []


@posix_only
def test_it_does_not_end_while_a_job_runs(samples: Path, tmp_path: Path) -> None:
    made = cut(samples / "franck.mp4", tmp_path / "clip.mp4", 0, 60)
    with live_engine(tmp_path, FACEPLATE_IDLE_STOP="0.01", FACEPLATE_CACHE=str(tmp_path / "cache")) as live:
        clip = made.rename(live.work / "clip.mp4")
        job = live.client.submit("detect", {"clip": str(clip)})
        states = [told["state"] for _, told in events(live.client) if told.get("id") == job["id"]]
        assert states[-1] == "finished", "it worked for longer than it may be idle, and ended the stream when it ended"
        wait_for(lambda: gone(live.client.address.pid))


def test_it_needs_little_and_imports_nothing_heavy() -> None:
    code = "import sys, host_bridge.engine.server; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    heavy = ("torch", "onnxruntime", "cv2", "av", "scipy", "OpenImageIO", "PyOpenColorIO", "matplotlib")
    assert not [name for name in heavy if f"'{name}'" in loaded]


@posix_only
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_idle_it_takes_no_memory_and_no_time_to_speak_of(live: Live) -> None:
    wait_for(lambda: live.client.status()["running"] == 0)
    pid = live.client.address.pid
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
    assert resident < 150, f"{resident:.0f} MB"

    def spent() -> float:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    before = spent()
    time.sleep(1)  # what is measured is that nothing happens
    assert spent() - before < 0.05


# ---- what can be asked


def test_a_job_goes_from_submission_to_result(live: Live, clip: Path) -> None:
    job = live.client.submit("detect", {"clip": str(clip), "out": str(live.work / "faces.npz")})
    assert job["state"] in ("queued", "running") and job["title"] == "clip.mp4"
    done = live.client.wait(job["id"], 60)
    assert done["state"] == "finished", done
    assert (live.work / "faces.npz").stat().st_size > 0
    assert len(done["result"]["tracks"]) == 1
    again = live.client.submit("detect", {"clip": str(clip), "out": str(live.work / "faces.npz")})
    assert (again["id"], again["state"]) == (job["id"], "finished"), "what is done is not done again"


def test_two_who_ask_for_the_same_get_one_job(live: Live) -> None:
    found: list[str] = []
    request = {"clip": str(live.work / "missing.mov")}

    def ask() -> None:
        found.append(Client(live.client.address).submit("detect", request)["id"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    live.client.wait(found[0], 30)


def test_what_cannot_be_done_is_refused_with_all_its_faults(live: Live) -> None:
    def fails(kind: str, request: object, status: int, *words: str, **more: object) -> None:
        body = json.dumps({"kind": kind, "request": request, **more}).encode()
        got = live.ask("POST /v1/jobs", body=body)
        assert got[0] == status, got
        message = json.loads(got[2])["error"]["message"]
        assert all(word in message for word in words), message

    fails("bake", {}, 422, "no job 'bake'")
    fails("detect", {}, 422, "clip")
    fails("swap", {"plate": 3, "frames": "x"}, 422, "plate", "out", "frames")
    fails("detect", [], 422, "request")
    fails("detect", {"clip": "/x"}, 422, "priority", priority="high")
    fails("detect", {"clip": "/x"}, 422, "owner", owner="me")
    for body in (
        b"",
        b"{",
        b"[1]",
        b"nan",
        b'{"kind": "detect", "request": {"clip": "\\ud800"}}',
        b"\xff",
        b"[" * 9999,
    ):
        status, _, answer = live.ask("POST /v1/jobs", body=body)
        assert status in (400, 422) and json.loads(answer)["error"]["message"], body
    assert live.ask("POST /v1/jobs?wait=61", body=b"{}")[0] == 422


def test_a_job_that_has_ended_cannot_be_cancelled_and_a_failed_one_can_be_retried(live: Live) -> None:
    job = live.client.submit("detect", {"clip": str(live.work / "not there.mov")}, wait=30)
    assert job["state"] == "failed"
    with pytest.raises(EngineError, match="has failed already") as caught:
        live.client.cancel(job["id"])
    assert caught.value.status == 409
    assert live.client.retry(job["id"])["attempt"] == 2
    assert live.client.wait(job["id"], 30)["state"] == "failed"
    assert live.ask(f"GET /v1/jobs/{'f' * 16}/preview")[0] == 404
    for call in (live.client.show, live.client.cancel, live.client.retry):
        with pytest.raises(EngineError) as caught:
            call("f" * 16)
        assert caught.value.status == 404


def test_the_list_goes_on_where_it_ended(live: Live) -> None:
    for number in range(5):
        live.client.submit("detect", {"clip": str(live.work / f"{number}.mov")})
    whole = live.client.list(limit=1000)
    assert not whole["more"] and len(whole["jobs"]) >= 5
    assert all("curve" not in job for job in whole["jobs"])
    first = live.client.list(limit=2)
    rest = live.client.list(before=first["jobs"][-1]["id"], limit=1000)
    assert first["more"]
    assert [j["id"] for j in first["jobs"] + rest["jobs"]] == [j["id"] for j in whole["jobs"]]
    for job in live.client.list("queued")["jobs"]:
        assert live.client.cancel(job["id"])["state"] == "cancelled"
    assert {job["state"] for job in live.client.list("cancelled")["jobs"]} == {"cancelled"}
    for job in live.client.list("running")["jobs"]:
        live.client.wait(job["id"], 60)


def test_logs_are_read_from_any_byte_and_never_split_a_letter(live: Live) -> None:
    id = live.client.submit("detect", {"clip": str(live.work / "logged.mov")}, wait=30)["id"]
    file = live.state / "jobs" / id / "log.txt"
    before = file.read_bytes()
    letter = "é🎭".encode()
    file.write_bytes(b"one\n" + letter[:1])
    text, at = live.client.log(id)
    assert (text, at) == ("one\n", 4)
    file.write_bytes(b"one\n" + letter)
    assert live.client.log(id, at) == ("é🎭", 10)
    assert live.client.log(id, 10) == ("", 10)
    assert live.client.log(id, 10**9) == ("", 10**9)
    file.write_bytes(b"x" * 300_000)
    assert live.client.log(id)[1] == 1 << 18
    file.write_bytes(before)


def test_a_picture_is_served_and_nothing_beside_it(live: Live, clip: Path) -> None:
    out = live.work / "aligned"
    job = live.client.submit("align", {"clip": str(clip), "out": str(out), "align": {"size": 64}}, wait=60)
    assert job["state"] == "finished", job
    assert job["preview"].startswith(f"/v1/jobs/{job['id']}/preview")
    assert live.ask(f"GET {job['preview']}")[2].startswith(b"\x89PNG")
    assert live.ask(f"GET /v1/jobs/{job['id']}/pictures/sheet.png")[2] == (out / "sheet.png").read_bytes()
    for name in ("log.txt", "../log.txt", "..%2Flog.txt", "%2e%2e%2flog.txt", "nothing.png", ".", "%00"):
        assert live.ask(f"GET /v1/jobs/{job['id']}/pictures/{name}")[0] in (404, 422), name


def test_nodes_and_kinds_are_those_of_the_definitions(live: Live) -> None:
    nodes, kinds = (json.loads(live.ask(f"GET /v1/{what}")[2])[what] for what in ("nodes", "kinds"))
    assert nodes == [json.loads(json.dumps(node.schema())) for node in NODES]
    assert [kind["name"] for kind in kinds] == list(KINDS)


def test_the_openapi_document_has_every_kind_and_every_node(live: Live) -> None:
    status, _, body = live.ask("GET /v1/openapi.json")
    assert status == 200
    told = json.loads(body)
    assert told == json.loads(json.dumps(make_app().openapi()))
    schemas = told["components"]["schemas"]
    for node in NODES:
        assert schemas[node.parameters.__name__]["properties"].keys() == node.parameters.model_fields.keys()
    for kind in KINDS.values():
        assert schemas[kind.request.__name__]["properties"].keys() == kind.request.model_fields.keys()
    variants = told["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    submissions = [schemas[one["$ref"].rpartition("/")[2]]["properties"] for one in variants]
    assert [one["kind"]["const"] for one in submissions] == list(KINDS)
    for one, kind in zip(submissions, KINDS.values(), strict=True):
        assert one["request"]["$ref"].endswith(f"/{kind.request.__name__}")
    references = {part.split('"')[0] for part in json.dumps(told).split("#/components/schemas/")[1:]}
    assert references <= schemas.keys()


def test_the_page_in_the_docs_is_made_from_it() -> None:
    page = ROOT / "docs/engine.md"
    assert made_anew(page) == page.read_text("utf-8"), "run: python -m docs.reference docs/engine.md"
