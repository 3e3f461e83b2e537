"""A hot folder: what is dropped into it becomes a job of the engine, and the result lands beside it.

One pass after the other: take files that are whole, submit them, report their status, put them away. All that must survive is in the status
files, so a watcher that is killed goes on where it was: a known job is looked up by its id, and the engine does nothing twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from host_bridge.client import ENDED as JOB_ENDED
from host_bridge.client import LARGEST_REQUEST, Client, EngineError, EngineGone
from host_bridge.watch.fusion_prefs import MONITOR, FusionPosts, PostedJob, open_monitor, read_jobs, write_jobs
from host_bridge.watch.status import (
    ANSWER,
    ENDED,
    ERROR,
    STATUS,
    FileStamp,
    of_failure,
    of_job,
    read_status,
    write_status,
)
from nodes.errors import FaceplateError, UsageError, writing
from nodes.files import whole_file

JOB = ".json"
TIMELINES = (".otio", ".otioz", ".edl", ".fcpxml", ".xml", ".aaf")
CAST = (".cast.json", *(p + s for p in ("", ".cast") for s in (".toml", ".yaml", ".yml", ".csv")))
RESULT = ".faceplate"  # STEM.faceplate, and STEM.faceplate.otio
DONE, FAILED = "done", "failed"
ALIVE = ".faceplate-watching.lua"  # a script in a host loads it to know that a watcher is here
_BEAT = 5.0  # seconds between two signs of life
_MOST_FILES = 1000  # that are looked at
MOST_AT_ONCE = 64
_NUMBERS = 10_000  # of files of one name that have been put away


@dataclass(frozen=True, slots=True)
class DroppedJob:
    """A job to submit. lua: answer a script that can only load Lua. then: further jobs of its post, done if this one is allowed."""

    kind: str
    request: dict[str, Any]
    lua: bool = False
    then: tuple[str, list[PostedJob]] | None = None


OPEN_MONITOR = DroppedJob("monitor", {})


def read_drop(file: Path, method: str = "model") -> DroppedJob | None:
    """Read a dropped file; None for JSON that is not a job. method: how the shots of an edit are done. Raises UsageError for an invalid one, and OSError."""
    return _job(file) if file.suffix.lower() == JOB else _timeline(file, method)


def _job(file: Path) -> DroppedJob | None:
    with file.open("rb") as opened:
        text = opened.read(LARGEST_REQUEST + 1)
    if len(text) > LARGEST_REQUEST:
        raise UsageError(f"{file.name}: is larger than a job may be, 1 MiB", remedy="Ask for less at once")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise UsageError(
            f"{file.name}: is no JSON ({e})", remedy='Write {"kind": "swap", "request": {...}}, in UTF-8'
        ) from e
    if document == MONITOR:
        return OPEN_MONITOR
    if not isinstance(document, dict) or not {"kind", "request"} & document.keys():
        return None
    unknown = document.keys() - {"kind", "request", "answer", "then"}
    if unknown or not isinstance(document.get("kind"), str) or not isinstance(document.get("request"), dict):
        what = f"does not know '{min(unknown)}'" if unknown else "needs the name of a kind and a request"
        raise UsageError(f"{file.name}: a job {what}", remedy='Write {"kind": "swap", "request": {...}}')
    if document.get("answer", "json") not in ("json", "lua"):
        raise UsageError(f"{file.name}: answers are 'json' or 'lua'", remedy="Leave 'answer' out")
    try:
        then = read_jobs(document["then"]) if "then" in document else None
    except ValueError as e:
        raise UsageError(f"{file.name}: then {e}", remedy="Leave 'then' out") from e
    return DroppedJob(document["kind"], document["request"], lua=document.get("answer") == "lua", then=then)


def _timeline(file: Path, method: str) -> DroppedJob:
    """Run an edit with its cast; the new edit comes back beside it, as Resolve imports it."""
    base = file.with_name(file.stem + RESULT)
    export = {"profile": "resolve", "out": f"{base}.otio"}
    request: dict[str, Any] = {"edit": str(file), "out": str(base), "export": export, "run": {"method": method}}
    if cast := cast_of(file):
        request["cast"] = str(cast)
    return DroppedJob("timeline", request)


def dropped(folder: Path) -> Iterator[tuple[Path, FileStamp]]:
    """The files that may be jobs, oldest first: no folders, no links, nothing hidden, nothing of ours."""
    seen = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_meant(entry.name):
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # taken away meanwhile
                continue
            if stat.S_ISREG(info.st_mode) and info.st_size:
                seen.append((folder / entry.name, FileStamp(info.st_size, info.st_mtime_ns)))
    seen.sort(key=lambda file: (file[1].time, file[0].name))
    yield from seen[:_MOST_FILES]


def is_meant(name: str) -> bool:
    """Whether a file of this name may be a job."""
    low = name.lower()
    if name.startswith((".", "~")) or f"{RESULT}." in low or low.endswith((STATUS, ERROR, ANSWER, *CAST)):
        return False
    return low.endswith((JOB, *TIMELINES))


def cast_of(timeline: Path) -> Path | None:
    """The cast file of the same stem that lies beside a timeline."""
    beside = (timeline.with_name(timeline.stem + suffix) for suffix in CAST)
    return next((path for path in beside if path.is_file() and not path.is_symlink()), None)


class Settling:
    """Files whose size and time have stopped changing: a copy under way grows, a file that was renamed in does not."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Path, tuple[FileStamp, float]] = {}

    def whole(self, files: list[tuple[Path, FileStamp]], now: float) -> list[tuple[Path, FileStamp]]:
        """Those that have been the same for long enough."""
        since = {}
        for path, mark in files:
            before = self._since.get(path)
            since[path] = before if before is not None and before[0] == mark else (mark, now)
        self._since = since
        return [(path, mark) for path, mark in files if now - since[path][1] >= self._seconds]


class HotFolder:
    """Watches one folder. say: is given a line for each thing that happens. Raises FaceplateError if another one watches it."""

    def __init__(
        self,
        folder: Path,
        connect: Callable[[], Client],
        *,
        settle: float = 2.0,
        method: str = "model",
        prefs: Iterable[Path] = (),
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        if not folder.is_dir():
            raise FaceplateError("is no folder", file=folder, remedy="Make it first")
        self.folder = folder.resolve()
        self._connect, self._say, self._method = connect, say, method
        self._settling = Settling(settle)
        self._posts = FusionPosts(self.folder, list(prefs), connect)
        self._running: dict[Path, tuple[FileStamp, str, DroppedJob, dict[str, Any]]] = {}
        self._ignored: dict[Path, FileStamp] = {}
        self._beaten: float | None = None
        self.waiting = False  # whether files are there that are not taken yet
        self._lock = FileLock(self.folder / ".faceplate-watch.lock")
        with writing(self.folder):
            try:
                self._lock.acquire(timeout=0)
            except Timeout as e:
                raise FaceplateError(
                    "is watched already", file=folder, remedy="End the other faceplate engine watch first"
                ) from e

    def close(self) -> None:
        """Let another one watch the folder; jobs go on."""
        self._lock.release()

    def step(self, now: float | None = None) -> None:
        """One pass. now: seconds of a clock that only goes forward."""
        now = time.monotonic() if now is None else now
        if self._beaten is None or now - self._beaten >= _BEAT:
            self._beaten = now
            with whole_file(self.folder / ALIVE, sync=False) as temporary:
                temporary.write_text(f"return os.time() - {int(time.time())} < 30\n", "utf-8")
        self._posts.collect()
        with contextlib.suppress(EngineGone):  # the next pass starts it again
            self._follow()
            files = list(dropped(self.folder))
            whole = self._settling.whole(files, now)
            self._ignored = {path: mark for path, mark in whole if self._ignored.get(path) == mark}
            for path, mark in whole:
                if path not in self._running and path not in self._ignored and len(self._running) < MOST_AT_ONCE:
                    self._take(path, mark)
            self.waiting = any(
                path not in self._ignored and path not in self._running and path.exists() for path, _ in files
            )

    @property
    def busy(self) -> bool:
        """Whether jobs are under way."""
        return bool(self._running)

    def _take(self, path: Path, mark: FileStamp) -> None:
        known = read_status(path, mark)
        if known is not None and known.get("state") in ENDED:  # it ended, but was not put away
            self._put_away(path, mark, known)
            return
        try:
            wanted = read_drop(path, self._method)
        except FileNotFoundError:
            return
        except (FaceplateError, OSError) as e:
            self._end(path, mark, of_failure(e), DroppedJob("", {}))
            return
        if wanted is None:
            self._ignored[path] = mark
            return
        if wanted is OPEN_MONITOR:
            path.unlink()
            open_monitor(self._connect)
            return
        try:
            id = self._known_job(known) or self._connect().submit(wanted.kind, wanted.request)["id"]
        except EngineGone:
            raise
        except EngineError as e:
            if e.status is None:
                raise
            self._end(path, mark, of_failure(e), wanted)
            return
        status = {"state": "running", "kind": wanted.kind, "job": id}
        write_status(path, mark, status, lua=wanted.lua)
        self._running[path] = (mark, id, wanted, status)
        self._say(f"{path.name}: {wanted.kind}, job {id}")

    def _known_job(self, status: dict[str, Any] | None) -> str | None:
        """The job that an earlier watcher has submitted for this file, if the engine still knows it."""
        id = None if status is None else status.get("job")
        if not isinstance(id, str):
            return None
        try:
            return str(self._connect().show(id)["id"])
        except EngineGone:
            raise
        except EngineError:
            return None

    def _follow(self) -> None:
        for path, (mark, id, wanted, before) in list(self._running.items()):
            try:
                job = self._connect().show(id)
            except EngineGone:
                raise
            except EngineError as e:  # its queue was thrown away
                del self._running[path]
                self._end(path, mark, of_failure(e), wanted)
                continue
            status = of_job(job)
            if job["state"] in JOB_ENDED:
                del self._running[path]
                self._end(path, mark, status, wanted)
            elif status != before:
                write_status(path, mark, status, lua=wanted.lua)
                self._running[path] = (mark, id, wanted, status)

    def _end(self, path: Path, mark: FileStamp, status: dict[str, Any], wanted: DroppedJob) -> None:
        write_status(path, mark, status, lua=wanted.lua)
        error = status.get("error")
        self._say(f"{path.name}: {error['message'] if error else 'done'}")
        self._put_away(path, mark, status)

    def _go_on(self, path: Path, status: dict[str, Any]) -> None:
        """Write the jobs that waited for this one to be allowed; what was refused never runs, whatever is agreed to later."""
        wanted = read_drop(path, self._method)
        if wanted and wanted.then and (status.get("result") or {}).get("allowed") is not False:
            write_jobs(self.folder, *wanted.then)

    def _put_away(self, path: Path, mark: FileStamp, status: dict[str, Any]) -> None:
        """Move what was dropped, a timeline with its cast; if it is another file by now, that is new, and stays."""
        folder = self.folder / (DONE if status["state"] == "finished" else FAILED)
        with contextlib.suppress(FileNotFoundError):
            seen = path.stat()
            if FileStamp(seen.st_size, seen.st_mtime_ns) != mark:
                return
            if status["state"] == "finished":
                self._go_on(path, status)
            cast = None if path.suffix.lower() == JOB else cast_of(path)
            for file in (path, cast) if cast else (path,):
                with writing(folder):
                    folder.mkdir(exist_ok=True)
                    file.rename(_free(folder / file.name))


def _free(path: Path) -> Path:
    """The path itself, or the first of NAME-2, NAME-3 that is not taken."""
    numbered = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(2, _NUMBERS))
    return next(one for one in (path, *numbered) if not one.exists())
