"""Whom the engine refuses: no token, another host, another origin, too much, too slow, outside; and that it says so in JSON."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from host_bridge.client import EngineError
from host_bridge.engine.api import OPEN_PATHS
from host_bridge.engine.guard import HEADERS
from host_bridge.engine.roots import OutsideError, Roots
from host_bridge.jobs.faces import DetectRequest
from tests.support.live_engine import Live, answer

STATUS = "GET /v1/status"
posix_only = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def refused(got: tuple[int, dict[str, str], bytes], status: int, *words: str) -> None:
    """It was, with this status, in JSON, with every header that an answer has."""
    assert got[0] == status, got
    error = json.loads(got[2])["error"]
    for word in words:
        assert word in error["message"], error
    assert got[1]["content-type"] == "application/json"
    assert {name: got[1].get(name.lower()) for name in HEADERS} == HEADERS


def test_the_right_request_is_answered(live: Live) -> None:
    status, headers, body = live.ask(STATUS)
    assert status == 200 and json.loads(body)["pid"] == live.client.address.pid
    assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
    assert "server" not in headers


# ---- token


@pytest.mark.parametrize("path", ["/v1/status", "/v1/jobs", "/v1/openapi.json", "/v1/events", "/nothing", "/v1/stop"])
def test_without_the_token_nothing_is_told(live: Live, path: str) -> None:
    refused(live.ask(f"GET {path}", token=""), 401, "missing")
    refused(live.ask(f"GET {path}", token="wrong"), 401, "wrong")


@pytest.mark.parametrize(
    "header",
    ["Basic {}", "Bearer", "Bearer {}x", "Bearer x{}", "{}", "Bearer {} {}", "Bearer \xe9", "Bearer " + "x" * 5000],
)
def test_only_the_whole_token_as_a_bearer_counts(live: Live, header: str) -> None:
    told = header.replace("{}", live.token)
    assert live.ask(STATUS, token="", headers={"Authorization": told})[0] == 401
    assert live.ask(STATUS, headers={"authorization": told})[0] == 401, "two of them mean nothing"


@pytest.mark.parametrize("query", ["token={}", "a=1&access_token={}", "v={}", "{}", "v=%{}", "TOKEN=wrong"])
def test_a_token_in_an_address_is_refused_even_beside_the_right_header(live: Live, query: str) -> None:
    first = f"{ord(live.token[0]):02x}{live.token[1:]}"
    told = query.replace("%{}", "%" + first).replace("{}", live.token)
    for path in ("/v1/status", "/"):
        refused(live.ask(f"GET {path}?{told}"), 400, "no place in an address")
        refused(live.ask(f"GET {path}?{told}", token=""), 400)


def test_no_secret_is_in_the_log_whatever_was_asked(live: Live) -> None:
    live.ask(f"GET /v1/{live.token}", token="")
    live.ask(f"GET /{live.token}?token={live.token}")
    live.ask(STATUS, token=live.token + "x")
    live.raw(f"GET {live.token}\r\n\r\n".encode())
    assert "refused" in live.log()
    for file in live.state.rglob("*"):
        if file.is_file() and file.name != "engine.json":
            assert live.token.encode() not in file.read_bytes(), file


# ---- host and origin


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "example.com:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}.example.com",
        "user@127.0.0.1:{port}",
        "0.0.0.0:{port}",
        "127.0.0.2:{port}",
        "[::]:{port}",
    ],
)
def test_a_host_that_is_not_this_engine_is_refused(live: Live, host: str) -> None:
    got = live.ask(STATUS, host=host.format(port=live.port))
    assert got[0] == (403 if host else 400)
    got = live.ask("GET /", host=host.format(port=live.port), token="")
    assert got[0] == (403 if host else 400), "nor does it get the page"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_loopback_has_several_names(live: Live, name: str) -> None:
    host = f"{name}:{live.port}"
    assert live.ask(STATUS, host=host)[0] == 200
    assert live.ask(STATUS, host=host, headers={"Origin": f"http://{host}"})[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://example.com",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "file://",
    ],
)
def test_another_origin_is_refused(live: Live, origin: str) -> None:
    headers = {"Origin": origin.format(port=live.port)}
    refused(live.ask(STATUS, headers=headers), 403, "another site")
    refused(live.ask("POST /v1/jobs", headers=headers, body=b"{}"), 403)


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "FOO", "get"])
def test_unknown_methods_are_refused(live: Live, method: str) -> None:
    status, headers, _ = live.ask(f"{method} /v1/jobs")
    assert status == 405 and headers["allow"] == "GET, POST"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("line", ["GET /v1/cancel", "POST /v1/status", "GET /v1/jobs/", "GET //v1/status", "POST /"])
def test_addresses_that_there_are_not_are_refused_in_json(live: Live, line: str) -> None:
    got = live.ask(line)
    refused(got, got[0])
    assert got[0] in (404, 405, 422)


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nX: " + b"x" * (1 << 17) + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(live: Live, bytes_: bytes) -> None:
    status, headers, _ = live.raw(bytes_)
    assert status in (400, 403)
    assert headers["connection"] == "close"


# ---- too much, too slow


def head(live: Live, *more: str) -> bytes:
    lines = ("POST /v1/jobs HTTP/1.1", f"Host: 127.0.0.1:{live.port}", f"Authorization: Bearer {live.token}", *more)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("length", [(1 << 20) + 1, 1 << 30, 10**19])
def test_a_body_over_a_mebibyte_is_refused_before_it_is_read(live: Live, length: int) -> None:
    refused(live.raw(head(live, f"Content-Length: {length}")), 413, "larger")
    refused(live.raw(head(live, f"Content-Length: {length}", "Expect: 100-continue")), 413)


def test_a_body_without_length_is_read_no_further_than_a_mebibyte(live: Live) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as plug:
        plug.sendall(head(live, "Transfer-Encoding: chunked"))
        sent = 0
        try:
            while sent < 1 << 28:
                plug.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
        refused(answer(plug), 413, "larger")
    assert sent < 1 << 24, "what the system's buffers hold, and no more"


def test_who_is_slow_or_silent_holds_up_nobody(live: Live) -> None:
    def opened(said: bytes) -> socket.socket:
        plug = socket.create_connection(("127.0.0.1", live.port), timeout=20)
        plug.sendall(said)
        return plug

    plugs = [opened(b"GET /v1/status HTTP/1.1\r\n"), opened(head(live, "Content-Length: 100"))]
    try:
        plugs += [opened(b"") for _ in range(300)]
        for _ in range(20):
            plugs[0].sendall(b"X: y\r\n")
            plugs[1].sendall(b" ")
            asked = time.monotonic()
            assert live.ask(STATUS)[0] == 200
            assert time.monotonic() - asked < 1
    finally:
        for plug in plugs:
            plug.close()
    assert live.client.status()


# ---- which files


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "secret.mov").write_bytes(b"secret")
    return tmp_path


@posix_only
def test_paths_outside_the_roots_are_refused_after_links_and_dots(live: Live, outside: Path) -> None:
    link, folder = live.work / "link.mov", live.work / "folder"
    link.symlink_to(outside / "secret.mov")
    folder.symlink_to(outside)
    loop = live.work / "loop"
    loop.symlink_to(loop)
    up = "../" * 20
    wrong = [
        outside / "secret.mov",
        f"{live.work}/{up}{outside}/secret.mov",
        f"{live.work}/../outside.mov",
        link,
        folder / "secret.mov",
        folder / "new" / "frame.%04d.exr",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "relative.mov",
        "",
        ".",
        "~nobody-at-all/x.mov",
        f"{live.work}-beside/x.mov",
        f"{live.work}/a\0b.mov",
        "//etc/passwd",
    ]
    for path in wrong:
        for request in ({"clip": str(path)}, {"clip": str(live.work / "x.mov"), "out": str(path)}):
            with pytest.raises(EngineError) as caught:
                live.client.submit("detect", request)
            assert caught.value.status == 403, (path, caught.value)
    assert live.client.list()["jobs"] == []
    assert sorted(p.name for p in outside.iterdir()) == ["secret.mov"]


def test_deep_inside_a_request_paths_count_too(live: Live, outside: Path) -> None:
    plate, out = str(live.work / "x.mov"), str(live.work / "out")
    bad = str(outside / "secret.mov")
    wrong = [
        ("swap", {"plate": plate, "out": out, "settings": {"swap": {"model": bad}}}),
        ("swap", {"plate": plate, "out": out, "settings": {"detect": {"subject": bad}}}),
        ("swap", {"plate": plate, "out": out, "roto": bad}),
        ("faceset", {"clips": [plate, bad], "performer": "anna", "out": out}),
        ("train", {"facesets": [plate, plate], "out": out, "train": {"base": bad}}),
        ("preview", {"plate": plate, "frame": 0, "out": out + ".png", "patch": bad}),
    ]
    for kind, request in wrong:
        with pytest.raises(EngineError) as caught:
            live.client.submit(kind, request)
        assert caught.value.status == 403, (kind, caught.value)


def test_nothing_is_written_among_the_engines_own_files_or_to_what_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_ROOTS", str(tmp_path))
    state = tmp_path / "state"
    state.mkdir()
    roots = Roots(state)

    def check(out: Path) -> None:
        roots.check(DetectRequest(clip=tmp_path / "a.mov", out=out))

    check(tmp_path / "faces.npz")
    for wrong in (state / "x.npz", state, tmp_path, tmp_path / ".ssh" / "x", tmp_path / "a" / ".b" / "c"):
        with pytest.raises(OutsideError):
            check(wrong)
    (tmp_path / ".mine").mkdir()
    roots.allow(tmp_path / ".mine")
    check(tmp_path / ".mine" / "faces.npz")
    roots.check(DetectRequest(clip=tmp_path / ".hidden.mov"))


def test_a_folder_that_is_allowed_holds_at_once_and_can_be_taken_back(live: Live, outside: Path) -> None:
    roots, request = Roots(live.state), {"clip": str(outside / "secret.mov")}
    roots.allow(outside)
    assert live.client.submit("detect", request, wait=30)["state"] == "failed", "it is no footage, but it may be read"
    roots.forget(outside)
    request = {"clip": str(outside / "other.mov")}
    with pytest.raises(EngineError, match="faceplate engine allow") as caught:
        live.client.submit("detect", request)
    assert caught.value.status == 403


# ---- the page


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_the_page_needs_no_token_and_may_load_only_what_is_its_own(live: Live, path: str) -> None:
    status, headers, body = live.ask(f"GET {path}", token="")
    assert status == 200 and body
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["content-type"].split(";")[0] in ("text/html", "text/javascript", "text/css")
    assert live.token.encode() not in body


@pytest.mark.parametrize("path", ["/monitor", "/__init__.py", "/../server.py", "/monitor.js/", "/%2e%2e/server.py"])
def test_nothing_else_is_served(live: Live, path: str) -> None:
    assert live.ask(f"GET {path}")[0] == 404
