"""The queue: all jobs, durable in one SQLite table with one owner."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic_core import from_json, to_json

from host_bridge.engine.job import ACTIVE, Conflict, Job, NotFound, State
from nodes.errors import FaceplateError, OutputError, SchemaError

VERSION = 1
COLUMNS: Final = tuple(Job.model_fields)
_SET: Final = tuple(name for name in COLUMNS if name != "seq")
_JSON: Final = frozenset(
    {"request", "progress", "metrics", "curve", "pictures", "error", "result", "messages", "outputs"}
)
_TYPES = {"seq": " INTEGER PRIMARY KEY AUTOINCREMENT", "id": " TEXT NOT NULL UNIQUE"}
_SCHEMA = (
    f"CREATE TABLE jobs ({', '.join(name + _TYPES.get(name, '') for name in COLUMNS)})",
    "CREATE INDEX waiting ON jobs (state, lane, priority DESC, seq)",
    "CREATE INDEX same ON jobs (key, seq)",
)
_ACTIVE = f"state IN {ACTIVE}"
_ELSEWHERE = "choose another folder with FACEPLATE_STATE"

Jobs: TypeAlias = list[Job]  # inside the class, `list` is a method
Ids: TypeAlias = list[str]


class Queue:
    """All jobs. Only one process at a time can have it open.

    Every method raises OutputError when the disk is full or read-only, and SchemaError when the file is damaged. A `change` is on disk when
    the call returns; a `note` is visible at once, and written with the next change or flush.
    """

    def __init__(self, path: Path) -> None:
        """Open or create it; raises Conflict while another process has it."""
        self.path = path
        self._unsaved: dict[str, Job] = {}  # newer than on disk
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite opens a read-only file, and fails later. (Opening it here would drop its locks.)
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with self._translated_errors():
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=1, isolation_level=None)
        try:
            # An exclusive lock keeps a second engine out, and WAL then needs no shared memory, which network homes lack.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise SchemaError(
                    f"was written by a newer Faceplate (version {version}; this one knows up to {VERSION})",
                    file=self.path,
                    remedy="Update Faceplate",
                )
            if version == 0:
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
            if os.name == "posix":
                self.path.chmod(0o600)
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        """Write noted jobs, and release the file."""
        try:
            self.flush()
        finally:
            self._db.close()

    def add(self, **fields: Any) -> Job:
        """Add a queued job; id, kind, title, request, key, lane and device must be given."""
        job = Job(**{"created": time.time(), **fields})
        with self._writing() as db:
            seq = db.execute(
                f"INSERT INTO jobs ({', '.join(_SET)}) VALUES (:{', :'.join(_SET)})", _to_row(job)
            ).lastrowid
        return job.changed(seq=seq)

    def find(self, id: str) -> Job | None:
        """Find a job; None if it does not exist."""
        return self._unsaved.get(id) or next(iter(self._select("WHERE id = ?", id)), None)

    def get(self, id: str) -> Job:
        """Return a job; raises NotFound."""
        job = self.find(id)
        if job is None:
            raise NotFound(f"there is no job '{id}'", remedy="List all with faceplate jobs list")
        return job

    def list(self, state: State | None = None, limit: int = 100, before: str | None = None) -> Jobs:
        """List jobs, the newest first; before: only those older than this id."""
        where = "WHERE (:state IS NULL OR state = :state)"
        where += " AND (:before IS NULL OR seq < (SELECT seq FROM jobs WHERE id = :before))"
        jobs = self._select(f"{where} ORDER BY seq DESC LIMIT :limit", state=state, limit=limit, before=before)
        return [job for job in jobs if state in (None, job.state)]  # noted states are newer

    def active(self) -> Jobs:
        """List queued and running jobs, the oldest first."""
        return [job for job in self._select(f"WHERE {_ACTIVE} ORDER BY seq") if job.active]

    def count(self, state: State) -> int:
        """Count the jobs in a state."""
        with self._translated_errors():
            (number,) = self._db.execute("SELECT count(*) FROM jobs WHERE state = ?", (state,)).fetchone()
            return int(number)

    def by_key(self, kind: str, key: str) -> Job | None:
        """Find the newest job with the same content key."""
        return next(iter(self._select("WHERE key = ? AND kind = ? ORDER BY seq DESC LIMIT 1", key, kind)), None)

    def next(self, lane: str) -> Job | None:
        """Find the queued job of a lane that runs next: of the highest priority the oldest."""
        order = "WHERE state = 'queued' AND lane = ? ORDER BY priority DESC, seq LIMIT ?"
        jobs = self._select(order, lane, len(self._unsaved) + 1)
        return next((job for job in jobs if job.state == "queued"), None)

    def change(self, id: str, **fields: Any) -> Job:
        """Change a job on disk; raises NotFound. When the disk refuses, nothing has changed."""
        job = self.get(id).changed(**fields)
        with self._writing():
            self._update(job)
        self._unsaved.pop(id, None)
        return job

    def note(self, id: str, **fields: Any) -> Job:
        """Change a job in memory; raises NotFound."""
        job = self._unsaved[id] = self.get(id).changed(**fields)
        return job

    def flush(self) -> None:
        """Write noted jobs."""
        if self._unsaved:
            with self._writing():
                for job in self._unsaved.values():
                    self._update(job)
            self._unsaved.clear()

    def requeue_running(self) -> Jobs:
        """Recover after a crash: queue running jobs again, and cancel those being cancelled. Returns the queued ones."""
        self._unsaved.clear()
        with self._writing() as db:
            db.execute(
                f"UPDATE jobs SET state = 'cancelled', ended = ? WHERE {_ACTIVE} AND cancelling = 1", (time.time(),)
            )
            statement = "UPDATE jobs SET state = 'queued', again = 1, started = NULL WHERE state = 'running'"
            return [self.get(id) for (id,) in db.execute(f"{statement} RETURNING id").fetchall()]

    def prune(self, keep: int = 1000, short: int = 100) -> Ids:
        """Delete all ended jobs but the newest `keep`, and of warm kinds the newest `short`; returns the ids of the deleted."""
        old = f"SELECT seq FROM jobs WHERE NOT {_ACTIVE} AND lane {{}} 'device' ORDER BY seq DESC LIMIT -1 OFFSET ?"
        delete = f"DELETE FROM jobs WHERE seq IN ({old}) RETURNING id"
        with self._writing() as db:
            groups = [db.execute(delete.format(sign), (n,)).fetchall() for sign, n in (("=", keep), ("!=", short))]
            return [id for rows in groups for (id,) in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._translated_errors(), self._db as db:  # which commits, or rolls back
            db.execute("BEGIN IMMEDIATE")
            yield db

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into OutputError, SchemaError or Conflict."""
        try:
            yield
        except sqlite3.ProgrammingError:  # a fault of ours
            raise
        except sqlite3.DatabaseError as e:
            raise _explain(e, self.path) from e

    def _update(self, job: Job) -> None:
        row = {**_to_row(job), "id": job.id}
        self._db.execute(f"UPDATE jobs SET {', '.join(f'{name} = :{name}' for name in _SET)} WHERE id = :id", row)

    def _select(self, rest: str, *values: Any, **fields: Any) -> Jobs:
        with self._translated_errors():
            rows = self._db.execute(f"SELECT {', '.join(COLUMNS)} FROM jobs {rest}", fields or values).fetchall()
        return [self._unsaved.get(job.id, job) for job in map(_from_row, rows)]


def _to_row(job: Job) -> dict[str, Any]:
    """Convert a job for SQLite: documents to JSON, an empty list to NULL."""
    values = {name: getattr(job, name) for name in _SET}
    return {n: (None if v is None or v == [] else to_json(v).decode()) if n in _JSON else v for n, v in values.items()}


def _from_row(row: tuple[Any, ...]) -> Job:
    values = {name: value for name, value in zip(COLUMNS, row, strict=True) if value is not None}
    return Job.model_validate({n: from_json(v) if n in _JSON else v for n, v in values.items()})


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write in the state folder into OutputError."""
    try:
        yield
    except OSError as e:
        full = e.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = f"{'Free some space' if full else 'Make it writable'}, or {_ELSEWHERE}"
        raise OutputError(f"cannot be written: {(e.strerror or str(e)).lower()}", file=path, remedy=remedy) from e


def _explain(error: sqlite3.DatabaseError, path: Path) -> FaceplateError:
    name = getattr(error, "sqlite_errorname", None) or ""
    match name.split("_")[1:2]:
        case ["FULL"]:
            message, remedy = "cannot be written: the disk is full", f"Free some space, or {_ELSEWHERE}"
        case ["READONLY" | "PERM" | "CANTOPEN"]:
            message = "cannot be written: the folder is read-only or not yours"
            remedy = f"Make it writable, or {_ELSEWHERE}"
        case ["BUSY" | "LOCKED"]:
            remedy = "Use that one, or stop it with faceplate engine stop"
            return Conflict("belongs to an engine that runs already", file=path, remedy=remedy)
        case ["NOTADB" | "CORRUPT"]:
            return SchemaError("is damaged", file=path, remedy="Move it away: a new queue is then begun")
        case _:
            message, remedy = f"cannot be read or written: {error} ({name})", f"Check the disk, or {_ELSEWHERE}"
    return OutputError(message, file=path, remedy=remedy)
