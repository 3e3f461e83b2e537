"""One pass after the other over a watched folder: take what is whole, submit it, tell how it does, put it away.

All that must survive is in the status files, so a watcher that is killed goes on where it was: a job that is known is asked for by its
number, and the engine does not do twice what is under way or done.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from host_bridge.client import ENDED as JOB_ENDED
from host_bridge.client import Client, EngineError, EngineGone
from host_bridge.watch.asked import OPEN_MONITOR, Asked, asked
from host_bridge.watch.found import JOB, Mark, Settling, cast_of, dropped
from host_bridge.watch.posts import Posts, open_monitor, write_jobs
from host_bridge.watch.status import ENDED, of_failure, of_job, read_status, write_status
from nodes.errors import FaceplateError, writing
from nodes.files import whole_file

DONE, FAILED = "done", "failed"
ALIVE = ".faceplate-watching.lua"  # a script in a host loads it to know that somebody is here
_BEAT = 5.0  # seconds between two signs of life
MOST_AT_ONCE = 64
_NUMBERS = 10_000  # of files of one name that have been put away


class Watcher:
    """Watches one folder. told: is given a line for each thing that happens. Raises FaceplateError if another one watches it."""

    def __init__(
        self,
        folder: Path,
        connect: Callable[[], Client],
        *,
        settle: float = 2.0,
        method: str = "model",
        prefs: Iterable[Path] = (),
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        if not folder.is_dir():
            raise FaceplateError("is no folder", file=folder, remedy="Make it first")
        self.folder = folder.resolve()
        self._connect, self._told, self._method = connect, told, method
        self._settling = Settling(settle)
        self._posts = Posts(self.folder, list(prefs), connect)
        self._running: dict[Path, tuple[Mark, str, Asked, dict[str, Any]]] = {}
        self._ignored: dict[Path, Mark] = {}
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

    def _take(self, path: Path, mark: Mark) -> None:
        known = read_status(path, mark)
        if known is not None and known.get("state") in ENDED:  # it ended, but was not put away
            self._put_away(path, mark, known)
            return
        try:
            wanted = asked(path, self._method)
        except FileNotFoundError:
            return
        except (FaceplateError, OSError) as e:
            self._end(path, mark, of_failure(e), Asked("", {}))
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
        told = {"state": "running", "kind": wanted.kind, "job": id}
        write_status(path, mark, told, lua=wanted.lua)
        self._running[path] = (mark, id, wanted, told)
        self._told(f"{path.name}: {wanted.kind}, job {id}")

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
            told = of_job(job)
            if job["state"] in JOB_ENDED:
                del self._running[path]
                self._end(path, mark, told, wanted)
            elif told != before:
                write_status(path, mark, told, lua=wanted.lua)
                self._running[path] = (mark, id, wanted, told)

    def _end(self, path: Path, mark: Mark, told: dict[str, Any], wanted: Asked) -> None:
        write_status(path, mark, told, lua=wanted.lua)
        error = told.get("error")
        self._told(f"{path.name}: {error['message'] if error else 'done'}")
        self._put_away(path, mark, told)

    def _go_on(self, path: Path, told: dict[str, Any]) -> None:
        """Write the jobs that waited for this one to be allowed; what was refused never runs, whatever is agreed to later."""
        wanted = asked(path, self._method)
        if wanted and wanted.then and (told.get("result") or {}).get("allowed") is not False:
            write_jobs(self.folder, *wanted.then)

    def _put_away(self, path: Path, mark: Mark, told: dict[str, Any]) -> None:
        """Move what was dropped, a timeline with its cast; if it is another file by now, that is new, and stays."""
        folder = self.folder / (DONE if told["state"] == "finished" else FAILED)
        with contextlib.suppress(FileNotFoundError):
            seen = path.stat()
            if Mark(seen.st_size, seen.st_mtime_ns) != mark:
                return
            if told["state"] == "finished":
                self._go_on(path, told)
            cast = None if path.suffix.lower() == JOB else cast_of(path)
            for file in (path, cast) if cast else (path,):
                with writing(folder):
                    folder.mkdir(exist_ok=True)
                    file.rename(_free(folder / file.name))


def _free(path: Path) -> Path:
    """The path itself, or the first of NAME-2, NAME-3 that is not taken."""
    numbered = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(2, _NUMBERS))
    return next(one for one in (path, *numbered) if not one.exists())
