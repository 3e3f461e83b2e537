"""A real engine in a folder of its own, for tests that speak to it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from host_bridge.client import Client, connect, running


@dataclass(frozen=True)
class Live:
    """A running engine. state: its folder; work: the one folder that jobs may use."""

    client: Client
    state: Path
    work: Path

    @property
    def port(self) -> int:
        return int(self.client.address.url.rpartition(":")[2])

    @property
    def token(self) -> str:
        return self.client.address.token

    def log(self) -> str:
        return (self.state / "engine.log").read_text("utf-8")

    def raw(self, *parts: bytes, seconds: float = 20) -> tuple[int, dict[str, str], bytes]:
        """Send these bytes as they are, and return status, headers and body of what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as plug:
            try:
                for part in parts:
                    plug.sendall(part)
            except ConnectionError:
                pass  # it has heard enough
            return answer(plug)

    def ask(
        self,
        line: str,
        *,
        token: str | None = None,
        host: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request, by default a right one; an empty host or token leaves the header out."""
        token, host = self.token if token is None else token, f"127.0.0.1:{self.port}" if host is None else host
        told = {
            **({"Host": host} if host else {}),
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"Content-Length": str(len(body))} if body else {}),
            "Connection": "close",
            **(headers or {}),
        }
        head = f"{line} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in told.items()) + "\r\n"
        return self.raw(head.encode("latin-1") + body)


def events(client: Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """What happens, as it happens: ("hello", the engine), then ("job", job) for each change. Ends when the engine does."""
    connection = HTTPConnection(*client.address.url.removeprefix("http://").split(":"), timeout=60)
    connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {client.address.token}"})
    name, data = "", ""
    with closing(connection):
        for line in connection.getresponse():
            field, _, value = line.decode("utf-8").strip().partition(":")
            if field == "event":
                name = value.strip()
            elif field == "data":
                data += value.strip()
            elif not field and data:
                yield name, json.loads(data)
                data = ""


def answer(plug: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read an answer until the connection ends."""
    got = b""
    try:
        while part := plug.recv(65536):
            got += part
    except ConnectionError:
        pass
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]) if first else 0, {k.lower(): v.strip() for k, _, v in pairs}, body


def gone(pid: int) -> bool:
    """Whether a process is dead, buried or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


@contextmanager
def live_engine(folder: Path, **environment: str) -> Iterator[Live]:
    """Start one with a cache of its own, and see it end."""
    state, work = folder / "state", folder / "work"
    work.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_STATE", str(state))
        patch.setenv("FACEPLATE_ROOTS", str(work))
        patch.setenv("FACEPLATE_CACHE", str(folder / "cache"))
        for name, value in environment.items():
            patch.setenv(name, value)
        live = Live(connect(state), state, work)
        try:
            yield live
        finally:
            if client := running(state):
                client.stop()


@contextmanager
def engine_without_project(folder: Path) -> Iterator[Live]:
    """Start one whose keys are the tests' too, with no project but those that they make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEPLATE_PROJECT")
        patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
        with live_engine(folder) as live:
            yield live
