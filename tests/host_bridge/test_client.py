"""The client: standard library only, finds the engine, starts one, knows a dead one, and never sends its token elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import platformdirs
import pytest

from host_bridge import client as client_module
from host_bridge.client import Address, Client, EngineError, EngineGone, connect, read_address, running, state_folder
from host_bridge.engine.server import publish
from tests.support.live_engine import Live, events

posix_only = pytest.mark.skipif(os.name == "nt", reason="permissions and process numbers are POSIX's")


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_client_loads_with_nothing_but_the_standard_library() -> None:
    # As a host does it: its own Python, no site-packages, the file alone.
    code = (
        "import importlib.util, sys; before = set(sys.modules)\n"
        f"spec = importlib.util.spec_from_file_location('client', {client_module.__file__!r})\n"
        "module = sys.modules['client'] = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "module.running(__import__('pathlib').Path('/nowhere'))\n"
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before} - {'client'}\n"
        "print(sorted(tops - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_state_folder_is_the_one_of_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FACEPLATE_STATE", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_folder() == platformdirs.user_state_path("faceplate")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == platformdirs.user_state_path("faceplate")
    monkeypatch.setenv("FACEPLATE_STATE", str(tmp_path / "own"))
    assert state_folder() == tmp_path / "own"


@posix_only
def test_the_address_is_for_its_owner_alone_and_whole_from_the_start(live: Live, tmp_path: Path) -> None:
    assert (live.state / "engine.json").stat().st_mode & 0o777 == 0o600
    assert live.state.stat().st_mode & 0o777 == 0o700
    address = Address("http://127.0.0.1:1", "t", 1, "0")
    publish(tmp_path, address)
    assert read_address(tmp_path) == address
    assert [p.name for p in tmp_path.iterdir()] == ["engine.json"]
    (tmp_path / "engine.json").chmod(0o644)
    with pytest.raises(EngineError, match="others than you"):
        read_address(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": "faceplate.engine/2"}', "\0" * 100])
def test_an_address_that_cannot_be_understood_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "engine.json").write_text(text)
    (tmp_path / "engine.json").chmod(0o600)
    assert read_address(tmp_path) is None
    assert running(tmp_path) is None


def test_what_a_dead_engine_left_is_recognised(live: Live, tmp_path: Path) -> None:
    publish(tmp_path, Address("http://127.0.0.1:9", "t", dead_pid(), "0"))
    assert running(tmp_path) is None, "its process is gone"
    publish(tmp_path, Address("http://127.0.0.1:9", "t", os.getpid(), "0"))
    assert running(tmp_path) is None, "its number belongs to another process now, and nobody answers"
    publish(tmp_path, Address(live.client.address.url, "t", os.getpid(), "0"))
    assert running(tmp_path) is None, "its port belongs to another engine now"
    publish(tmp_path, Address(live.client.address.url, live.token, os.getpid(), "0"))
    assert running(tmp_path) is None, "another process answers"


def test_an_engine_that_runs_is_found_and_not_started_again(live: Live) -> None:
    found = connect(live.state)
    assert found.address == live.client.address
    assert found.status()["pid"] == live.client.address.pid


def test_two_clients_that_start_it_at_once_get_one_engine(tmp_path: Path) -> None:
    found: list[Client] = []
    threads = [threading.Thread(target=lambda: found.append(connect(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0].address == found[1].address
    found[0].stop()
    assert running(tmp_path) is None and not (tmp_path / "engine.json").exists()


@posix_only
def test_the_engine_has_left_the_session_and_the_terminal_of_who_started_it(live: Live) -> None:
    pid = live.client.address.pid
    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)
    if Path("/proc").is_dir():
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) != os.getpid(), "its parent is not who started it"
        assert int(stat[4]) == 0, "it has no terminal"


def test_an_engine_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be started"):
        connect(tmp_path, python=str(tmp_path / "no-python"))
    (tmp_path / "jobs.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(EngineError, match=r"did not start: .*jobs\.sqlite"):
        connect(tmp_path)


def test_a_proxy_in_the_environment_does_not_see_the_token(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert running(live.state) is not None


def test_refusals_have_a_message_a_remedy_and_a_status(live: Live) -> None:
    with pytest.raises(EngineError, match=r"no job '0{16}'\. List") as caught:
        live.client.show("0" * 16)
    assert caught.value.status == 404 and caught.value.remedy
    with pytest.raises(EngineError, match="larger than 1 MiB"):
        live.client.submit("detect", {"clip": "x" * (1 << 20)})
    with pytest.raises(EngineGone):
        Client(Address("http://127.0.0.1:9", "t", 1, "0")).status()


class Odd(BaseHTTPRequestHandler):
    """Answers like something that is no engine."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/v1/status" else 200)
        self.send_header("Content-Length", str(len(self.body) + 5 * (self.path == "/v1/jobs/a")))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"error": 3}', b"\xff\xff"])
def test_something_else_at_the_port_is_an_error_and_no_traceback(body: bytes) -> None:
    with HTTPServer(("127.0.0.1", 0), type("Handler", (Odd,), {"body": body})) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        other = Client(Address(f"http://127.0.0.1:{server.server_port}", "t", 1, "0"))
        try:
            for call in (other.status, lambda: other.show("a")):
                with pytest.raises(EngineError):
                    call()
        finally:
            server.shutdown()


def test_events_say_hello_and_then_what_happens(live: Live) -> None:
    seen = events(live.client)
    name, hello = next(seen)
    assert name == "hello" and hello["version"]
    clip = live.work / "none.mov"
    job = live.client.submit("detect", {"clip": str(clip)})
    states = []
    for name, told in seen:
        assert name == "job"
        assert "curve" not in told
        if told["id"] == job["id"]:
            states.append(told["state"])
            if told["state"] in client_module.ENDED:
                break
    assert states[-1] == "failed"
    done = live.client.wait(job["id"], 5)
    assert done["error"]["exit_status"] == 3 and "none.mov" in done["error"]["message"]


def test_a_submission_can_wait_for_its_end(live: Live) -> None:
    job = live.client.submit("detect", {"clip": str(live.work / "nothing.mov")}, wait=30)
    assert job["state"] == "failed"
    assert json.dumps(job)
