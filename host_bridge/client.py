"""Client of Faceplate's engine, which starts it if needed. Standard library only: hosts load this file into their own Python.

`connect().submit("swap", {"plate": "/shots/a.mov", "source": "/anna.mov", "out": "/shots/a"}, wait=60)` is all it takes.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

SCHEMA = "faceplate.engine/1"
ENDED = ("finished", "failed", "cancelled")
LARGEST_REQUEST = 1 << 20  # bytes
_START_SECONDS = 30.0
_CHOOSE = "Choose the folder into which Faceplate was installed, or .venv/bin/python in it (on Windows .venv\\Scripts\\python.exe)"
_PREFERENCES = {"name": "open_preferences", "arguments": {}}


# A full stop after a command would be pasted with it; as in nodes/errors.py, which hosts do not have.
_COMMAND = re.compile(
    r"""(?: (?:^|:\ ) (?=['"]|\S*faceplate) | (?:^|[ :]) (?=faceplate|ffmpeg|oiiotool|pip|chmod) )
    ( (?: '[^']*faceplate' | "[^"]*faceplate(?:\.exe)?" | \S*faceplate(?:\.exe)? | ffmpeg | oiiotool | pip | chmod ) \ [^`]+ )$""",
    re.IGNORECASE | re.VERBOSE,
)


def sentence(text: str) -> str:
    """End a text with a full stop, unless it ends with a command, which can be pasted as it is."""
    return text if _COMMAND.search(text) else text.rstrip(".") + "."


def split_command(text: str) -> tuple[str, str]:
    """Split a remedy into its words and the command that it ends with, which can be pasted; either may be empty."""
    found = _COMMAND.search(text)
    return (text[: found.start()], found[1]) if found else (text, "")


class EngineError(Exception):
    """Error of the engine or of the connection to it: message, remedy, and the HTTP status of its answer, if any.

    action: the remedy as a button, `name` and `arguments`. plain: the message as a sentence. exit_status: of a command that fails with it.
    """

    names_log = False

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        status: int | None = None,
        action: dict[str, Any] | None = None,
    ) -> None:
        self.message, self.remedy, self.status, self.action = message, remedy, status, action
        self.plain = sentence(message)
        # A wrong request has the exit status of a wrong option.
        self.exit_status = 2 if status in (400, 403, 404, 409, 422) else 1
        super().__init__(self.plain + (f" {sentence(remedy)}" if remedy else ""))


class EngineGone(EngineError):
    """No engine answers where there was one."""


@dataclass(frozen=True, slots=True)
class Address:
    """Address and token of an engine, as in `engine.json`."""

    url: str
    token: str
    pid: int
    version: str


def state_folder() -> Path:
    """Return the folder of the engine's queue and address: FACEPLATE_STATE, else the user's state folder (as platformdirs has it)."""
    if override := os.environ.get("FACEPLATE_STATE"):
        return Path(override).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "faceplate" / "faceplate"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "faceplate"
    return Path(os.environ.get("XDG_STATE_HOME", "").strip() or Path.home() / ".local" / "state") / "faceplate"


def read_address(folder: Path) -> Address | None:
    """Read `engine.json`; None if it is missing or invalid. Raises EngineError if other users could have written it."""
    path = folder / "engine.json"
    try:
        with path.open("rb") as file:
            if hasattr(os, "getuid"):
                stat = os.fstat(file.fileno())
                if stat.st_uid != os.getuid() or stat.st_mode & 0o077:
                    raise EngineError(f"{path}: others than you may read or write it", remedy="Delete it")
            document = json.loads(file.read(1 << 16))
        if document["schema"] != SCHEMA:
            return None
        return Address(str(document["url"]), str(document["token"]), int(document["pid"]), str(document["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def living_address(folder: Path) -> Address | None:
    """Read `engine.json`, as `read_address`; None if its process is gone, except on Windows."""
    address = read_address(folder)
    return address if address is not None and _alive(address.pid) else None


def running(folder: Path | None = None) -> Client | None:
    """Find the running engine, or None; the address of a dead one is recognised by its process and by a request."""
    address = living_address(folder or state_folder())
    if address is None:
        return None
    client = Client(address)
    try:
        return client if client.status()["pid"] == address.pid else None
    except EngineError:
        return None


def connect(
    folder: Path | None = None,
    *,
    python: str | None = None,
    idle_stop: float | None = None,
    seconds: float = _START_SECONDS,
) -> Client:
    """Connect to the running engine, or start one; raises EngineError if it does not start in time.

    python: the interpreter of Faceplate's environment; by default FACEPLATE_PYTHON, else the one that runs this. idle_stop: minutes
    without work after which a new one ends, 0 for never.
    """
    folder = folder or state_folder()
    if client := running(folder):
        return client
    steps = start(folder, python=python, idle_stop=idle_stop, seconds=seconds)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        time.sleep(0.02)


class Client:
    """Connection to an engine. Each call is one request; raises EngineError, and EngineGone if nothing answers."""

    def __init__(self, address: Address, *, seconds: float = 20.0) -> None:
        self.address, self._seconds = address, seconds
        where = urlsplit(address.url)
        self._host, self._port = where.hostname or "127.0.0.1", where.port or 80

    @property
    def page(self) -> str:
        """The address of the monitor page, for a browser of this user: it holds the token."""
        return f"{self.address.url}/#token={self.address.token}"

    def status(self) -> dict[str, Any]:
        """Return version, process, uptime in seconds, and the numbers of running and queued jobs."""
        return self._json("GET", "/v1/status")

    def submit(
        self, kind: str, request: dict[str, Any], *, priority: int | None = None, wait: float = 0
    ) -> dict[str, Any]:
        """Submit a job; returns an equal one that is under way or done, if any. wait: seconds (at most 60) to wait for its end."""
        body: dict[str, Any] = {"kind": kind, "request": request}
        if priority is not None:
            body["priority"] = priority
        query = f"?wait={wait:g}" if wait else ""
        return self._json("POST", f"/v1/jobs{query}", body, seconds=self._seconds + wait)

    def list(self, state: str | None = None, limit: int = 100, before: str | None = None) -> dict[str, Any]:
        """List jobs, newest first, as `{"jobs": [...], "more": bool}`; before: go on after this id."""
        query = {"state": state, "limit": limit, "before": before}
        return self._json("GET", "/v1/jobs?" + urlencode({k: v for k, v in query.items() if v is not None}))

    def show(self, id: str) -> dict[str, Any]:
        """Return one job, with its loss curve."""
        return self._json("GET", _job(id))

    def cancel(self, id: str) -> dict[str, Any]:
        """Cancel a queued or running job."""
        return self._json("POST", _job(id, "cancel"))

    def retry(self, id: str) -> dict[str, Any]:
        """Queue a failed or cancelled job again."""
        return self._json("POST", _job(id, "retry"))

    def log(self, id: str, start: int = 0) -> tuple[str, int]:
        """Read a job's output from this byte on; returns it, and the byte from which to go on."""
        body, headers = self._ask("GET", f"{_job(id, 'log')}?from={start}")
        return body.decode("utf-8", "replace"), int(headers.get("X-Next", start))

    def wait(
        self, id: str, seconds: float | None = None, on_poll: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """Wait until a job has ended, or the time is over, and return it. on_poll: called with the job at each look."""
        end, pause = None if seconds is None else time.monotonic() + seconds, 0.02
        while True:
            job = self.show(id)
            if on_poll is not None:
                on_poll(job)
            if job["state"] in ENDED or (end is not None and time.monotonic() >= end):
                return job
            time.sleep(pause)
            pause = min(pause * 1.5, 0.2)

    def stop(self, seconds: float = 20.0) -> None:
        """End the engine and wait until it is gone. Its running jobs are queued again at its next start."""
        self._json("POST", "/v1/stop")
        end = time.monotonic() + seconds
        while self._lives():
            if time.monotonic() >= end:
                raise EngineError("the engine does not stop", remedy="Look into engine.log in the state folder")
            time.sleep(0.02)

    def _lives(self) -> bool:
        """Return True while the engine's process lives; on Windows, while it answers."""
        if os.name != "nt":
            return _alive(self.address.pid)
        try:
            return bool(self.status())
        except EngineGone:
            return False

    def steps(self, method: str, path: str, body: Any = None) -> Generator[None, None, dict[str, Any]]:
        """Send a request, and yield until it is answered: for a host that must not block and has no thread."""
        with self._sent(method, path, body, 1.0) as connection, _translated_errors():
            end = time.monotonic() + self._seconds
            while not select.select([connection.sock], [], [], 0)[0]:
                if time.monotonic() > end:
                    raise TimeoutError
                yield
            return _document(_check_response(connection.getresponse()).read())

    def _json(self, method: str, path: str, body: Any = None, *, seconds: float | None = None) -> dict[str, Any]:
        return _document(self._ask(method, path, body, seconds)[0])

    def _ask(self, method: str, path: str, body: Any = None, seconds: float | None = None) -> tuple[bytes, Message]:
        with self._sent(method, path, body, seconds or self._seconds) as connection, _translated_errors():
            response = _check_response(connection.getresponse())
            return response.read(), response.headers

    @contextmanager
    def _sent(self, method: str, path: str, body: Any, seconds: float) -> Iterator[HTTPConnection]:
        """Send a request, and give its connection."""
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        if content is not None and len(content) > LARGEST_REQUEST:
            raise EngineError("the request is larger than 1 MiB", remedy="Ask for less at once", status=413)
        headers = {"Authorization": f"Bearer {self.address.token}", "Content-Type": "application/json"}
        # http.client and not urllib, which would use the environment's proxy.
        with closing(HTTPConnection(self._host, self._port, timeout=seconds)) as connection:
            with _translated_errors():
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.request(method, path, content, headers)
            yield connection


def _job(*parts: str) -> str:
    return "/".join(("/v1/jobs", *(quote(part, safe="") for part in parts)))


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn the errors of a connection into EngineError, and into EngineGone if nothing answers."""
    try:
        yield
    except TimeoutError as e:
        raise EngineError("the engine does not answer in time", remedy="Look into its log, engine.log") from e
    except (OSError, HTTPException) as e:
        raise EngineGone("no engine answers", remedy="Start it with: faceplate engine start") from e


def _check_response(response: HTTPResponse) -> HTTPResponse:
    """Return the response; raises EngineError with its message if it refuses."""
    if response.status < 400:
        return response
    try:
        error = json.loads(response.read(LARGEST_REQUEST))["error"]
        message, remedy, action = str(error["message"]), error.get("remedy"), error.get("action")
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        message, remedy, action = f"the engine answers {response.status} {response.reason}", None, None
    raise EngineError(message, remedy=remedy, status=response.status, action=action)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise EngineError("the engine's answer cannot be understood")
    return document


def start(
    folder: Path, *, python: str | None = None, idle_stop: float | None = None, seconds: float = _START_SECONDS
) -> Generator[None, None, Client]:
    """Start an engine that outlives this process, its terminal and its session; yield until it answers. See `connect`."""
    program = python or os.environ.get("FACEPLATE_PYTHON") or sys.executable
    command = [program, "-P", "-m", "host_bridge.engine", "--detach"]
    command += [] if idle_stop is None else ["--idle-stop", f"{idle_stop:g}"]
    environment = _environment(folder, program)
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(folder / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            begin = os.fstat(log).st_size
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment, **options
            )
        finally:
            os.close(log)
    except OSError as e:
        raise EngineError(f"the engine cannot be started: {e}", remedy=_CHOOSE, action=_PREFERENCES) from e
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Where processes can fork, the child ends when an engine is ready; elsewhere it is the engine.
        status = child.poll()
        if (status == 0 or os.name == "nt") and (client := running(folder)):
            return client
        if status:
            why = _last_line(folder / "engine.log", begin)
            if _is_foreign(why):
                why = f"{program} is not the Python of Faceplate"
                raise EngineError(f"the engine cannot be started: {why}", remedy=_CHOOSE, action=_PREFERENCES)
            raise EngineError(f"the engine did not start: {why}")
        yield
    raise EngineError(f"the engine did not start in {seconds:g} s", remedy=f"Look into {folder / 'engine.log'}")


def command(folder: Path, python: str, *words: str) -> Generator[None, None, tuple[int, str]]:
    """Run a command of `faceplate` with this Python, and yield until it has ended; returns its exit status and what it printed."""
    try:
        with TemporaryFile() as output:
            options: dict[str, Any] = {}
            if sys.platform == "win32":
                options = {"creationflags": subprocess.CREATE_NO_WINDOW}
            child = subprocess.Popen(
                [python, "-P", "-m", "host_bridge.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(folder, python),
                **options,
            )
            while (status := child.poll()) is None:
                yield
            output.seek(0)
            text = output.read().decode("utf-8", "replace").strip()
            return status, f"{python} is not the Python of Faceplate. {_CHOOSE}" if _is_foreign(text) else text
    except OSError as e:
        return 1, f"{python} cannot be run: {e.strerror or e}. {_CHOOSE}"


def _is_foreign(text: str) -> bool:
    """Tell from its output whether a Python lacks Faceplate."""
    return "No module named" in text and "host_bridge" in text


def _environment(folder: Path, program: str) -> dict[str, str]:
    """Return the environment for a process of Faceplate's own Python."""
    environment = {**os.environ, "FACEPLATE_STATE": str(folder)}
    if program != sys.executable:  # a host's settings for its own Python harm another
        environment = {k: v for k, v in environment.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    return environment


def find_python(place: str) -> str:
    """Find the interpreter of a folder of Faceplate, or of its environment; a path of anything else is returned as it is."""
    inside = [
        Path(place, name)
        for name in (".venv/bin/python", ".venv/Scripts/python.exe", "bin/python", "Scripts/python.exe")
    ]
    return next((str(path) for path in inside if path.is_file()), place)


def _last_line(log: Path, begin: int) -> str:
    with suppress(OSError), log.open("rb") as file:
        file.seek(begin)
        lines = file.read(1 << 20).decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), f"see {log}")
    return f"see {log}"


def _alive(pid: int) -> bool:
    """Return True if a process with this number lives, and on Windows, where asking would harm it."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    with suppress(OSError), Path(f"/proc/{pid}/stat").open("rb") as stat:  # a zombie
        return stat.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    return True
