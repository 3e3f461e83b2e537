"""Hot folder: dropped files become jobs of the engine, and results land beside them.

Each pass takes complete files, submits them, reports their status and puts them away. All state is in the status
files, so a killed watcher goes on where it was: a known job is looked up by its id, and the engine does nothing twice.
"""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from host_bridge.client import LARGEST_REQUEST, Client, EngineError, EngineGone
from host_bridge.watch.fusion_prefs import MONITOR, FusionPosts, Post, open_monitor, write_jobs
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
_EXAMPLE = '{"kind": "swap", "request": {...}}'


class DroppedJob(BaseModel):
    """A job to submit. answer: "lua" for a script that can only load Lua. then: further jobs of its post, done if this one is allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    request: dict[str, Any]
    answer: Literal["json", "lua"] = "json"
    then: Post | None = None


@dataclass(slots=True)
class _Running:
    """A dropped file whose job is under way. stamp: of the file as it was taken."""

    stamp: FileStamp
    id: str
    drop: DroppedJob
    status: dict[str, Any]


OPEN_MONITOR = DroppedJob(kind="monitor", request={})


def read_drop(file: Path, method: str = "model") -> DroppedJob | None:
    """Read a dropped file; None for JSON that is not a job. method: how the shots of an edit are done. Raises UsageError for an invalid one, and OSError."""
    return _job(file) if file.suffix.lower() == JOB else _timeline(file, method)


def _job(file: Path) -> DroppedJob | None:
    with file.open("rb") as opened:
        text = opened.read(LARGEST_REQUEST + 1)
    if len(text) > LARGEST_REQUEST:
        raise UsageError(f"{file.name}: is larger than a job may be, 1 MiB", remedy="Ask for less at once")
    try:
        document = from_json(text)
    except ValueError as e:
        raise UsageError(f"{file.name}: is no JSON ({e})", remedy=f"Write {_EXAMPLE}, in UTF-8") from e
    if document == MONITOR:
        return OPEN_MONITOR
    if not isinstance(document, dict) or not {"kind", "request"} & document.keys():
        return None
    try:
        return DroppedJob.model_validate(document)
    except ValidationError as e:
        fault = e.errors()[0]
        what = f"has a wrong '{fault['loc'][0]}': {fault['msg']}"
        if fault["type"] == "extra_forbidden":
            what = f"does not know '{fault['loc'][0]}'"
        elif fault["loc"][0] in ("kind", "request"):
            what = "needs the name of a kind and a request"
        raise UsageError(f"{file.name}: a job {what}", remedy=f"Write {_EXAMPLE}") from e


def _timeline(file: Path, method: str) -> DroppedJob:
    """Run an edit with its cast; the new edit comes back beside it, as Resolve imports it."""
    base = file.with_name(file.stem + RESULT)
    export = {"profile": "resolve", "out": f"{base}.otio"}
    request: dict[str, Any] = {"edit": str(file), "out": str(base), "export": export, "run": {"method": method}}
    if cast := cast_of(file):
        request["cast"] = str(cast)
    return DroppedJob(kind="timeline", request=request)


def dropped(folder: Path) -> list[tuple[Path, FileStamp]]:
    """List the files that may be jobs, oldest first, without folders, links, hidden files and ours."""
    files = []
    for path in filter(lambda path: is_meant(path.name), folder.iterdir()):
        with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
            info = path.lstat()
            if stat.S_ISREG(info.st_mode) and info.st_size:
                files.append((path, FileStamp(info.st_size, info.st_mtime_ns)))
    return sorted(files, key=lambda file: (file[1].time, file[0].name))[:_MOST_FILES]


def is_meant(name: str) -> bool:
    """Return True if a file of this name may be a job."""
    low = name.lower()
    if name.startswith((".", "~")) or f"{RESULT}." in low or low.endswith((STATUS, ERROR, ANSWER, *CAST)):
        return False
    return low.endswith((JOB, *TIMELINES))


def cast_of(timeline: Path) -> Path | None:
    """Find the cast file of the same stem beside a timeline."""
    beside = (timeline.with_name(timeline.stem + suffix) for suffix in CAST)
    return next((path for path in beside if path.is_file() and not path.is_symlink()), None)


class HotFolder:
    """Watcher of one folder. say: gets a line for each event. Raises FaceplateError if another one watches it."""

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
        self._settle = settle
        self._posts = FusionPosts(self.folder, list(prefs), connect)
        self._running: dict[Path, _Running] = {}
        self._since: dict[Path, tuple[FileStamp, float]] = {}  # when each file was first seen as it is
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
        """Make one pass. now: seconds of a monotonic clock."""
        now = time.monotonic() if now is None else now
        if self._beaten is None or now - self._beaten >= _BEAT:
            self._beaten = now
            with whole_file(self.folder / ALIVE, sync=False) as temporary:
                temporary.write_text(f"return os.time() - {int(time.time())} < 30\n", "utf-8")
        self._posts.collect()
        with contextlib.suppress(EngineGone):  # the next pass starts it again
            self._follow()
            whole = self._whole(now)
            self._ignored = {path: mark for path, mark in whole if self._ignored.get(path) == mark}
            for path, mark in whole:
                if path not in self._running and path not in self._ignored and len(self._running) < MOST_AT_ONCE:
                    self._take(path, mark)
            taken = self._ignored.keys() | self._running.keys()
            self.waiting = any(path.exists() for path in self._since.keys() - taken)

    def _whole(self, now: float) -> list[tuple[Path, FileStamp]]:
        """List files whose size and time have stopped changing: a copy under way still grows."""
        before, self._since = self._since, {}
        for path, mark in dropped(self.folder):
            last = before.get(path)
            self._since[path] = last if last and last[0] == mark else (mark, now)
        return [(path, mark) for path, (mark, since) in self._since.items() if now - since >= self._settle]

    @property
    def busy(self) -> bool:
        """True while jobs are under way."""
        return bool(self._running)

    def _take(self, path: Path, mark: FileStamp) -> None:
        earlier = read_status(path, mark) or {}
        if earlier.get("state") in ENDED:  # it ended, but was not put away
            self._put_away(path, mark, earlier)
            return
        try:
            drop = read_drop(path, self._method)
        except FileNotFoundError:
            return
        except (FaceplateError, OSError) as e:
            self._end(path, mark, of_failure(e))
            return
        if drop is None:
            self._ignored[path] = mark
            return
        if drop is OPEN_MONITOR:
            path.unlink()
            open_monitor(self._connect)
            return
        try:  # the job that an earlier watcher has submitted for this file, or a new one
            id = earlier.get("job") or self._connect().submit(drop.kind, drop.request)["id"]
        except EngineError as e:
            if e.status is None:
                raise
            self._end(path, mark, of_failure(e), drop)
            return
        status = {"state": "running", "kind": drop.kind, "job": id}
        write_status(path, mark, status, lua=drop.answer == "lua")
        self._running[path] = _Running(mark, id, drop, status)
        self._say(f"{path.name}: {drop.kind}, job {id}")

    def _follow(self) -> None:
        for path, run in list(self._running.items()):
            try:
                status = of_job(self._connect().show(run.id))
            except EngineGone:
                raise
            except EngineError as e:  # its queue was thrown away
                status = of_failure(e)
            if status["state"] in ENDED:
                del self._running[path]
                self._end(path, run.stamp, status, run.drop)
            elif status != run.status:
                write_status(path, run.stamp, status, lua=run.drop.answer == "lua")
                run.status = status

    def _end(self, path: Path, mark: FileStamp, status: dict[str, Any], drop: DroppedJob | None = None) -> None:
        write_status(path, mark, status, lua=drop is not None and drop.answer == "lua")
        error = status.get("error")
        self._say(f"{path.name}: {error['message'] if error else 'done'}")
        self._put_away(path, mark, status)

    def _go_on(self, path: Path, status: dict[str, Any]) -> None:
        """Write the jobs that waited for this one's consent; refused ones never run, even if consent is given later."""
        drop = read_drop(path, self._method)
        if drop and drop.then and (status.get("result") or {}).get("allowed") is not False:
            write_jobs(self.folder, drop.then)

    def _put_away(self, path: Path, mark: FileStamp, status: dict[str, Any]) -> None:
        """Move a dropped file, a timeline with its cast; if it was replaced meanwhile, the new file stays."""
        folder = self.folder / (DONE if status["state"] == "finished" else FAILED)
        with contextlib.suppress(FileNotFoundError):
            info = path.stat()
            if FileStamp(info.st_size, info.st_mtime_ns) != mark:
                return
            if status["state"] == "finished":
                self._go_on(path, status)
            cast = None if path.suffix.lower() == JOB else cast_of(path)
            for file in (path, cast) if cast else (path,):
                with writing(folder):
                    folder.mkdir(exist_ok=True)
                    file.rename(_free(folder / file.name))


def _free(path: Path) -> Path:
    """Return the path, or the first of NAME-2, NAME-3 that is free."""
    numbered = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(2, _NUMBERS))
    return next(candidate for candidate in (path, *numbered) if not candidate.exists())
