"""The queue's durable state: SQLite, one table, one owner."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from host_bridge.engine.queue.disk import explained, written
from host_bridge.engine.queue.errors import no_job
from host_bridge.engine.queue.record import ACTIVE, COLUMNS, Job, State, from_row, to_row
from nodes.errors import SchemaError

__all__ = ["ACTIVE", "Job", "State", "Store"]

VERSION = 1
_TYPES = {"seq": " INTEGER PRIMARY KEY AUTOINCREMENT", "id": " TEXT NOT NULL UNIQUE"}
_SCHEMA = (
    f"CREATE TABLE jobs ({', '.join(name + _TYPES.get(name, '') for name in COLUMNS)})",
    "CREATE INDEX waiting ON jobs (state, lane, priority DESC, seq)",
    "CREATE INDEX same ON jobs (key, seq)",
)
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"
_ACTIVE = f"state IN {ACTIVE}"

Jobs: TypeAlias = list[Job]  # inside of the class `list` is what a queue is asked for
Ids: TypeAlias = list[str]


class Store:
    """All jobs. Safe to use from several threads; only one process at a time can have it open.

    Every method raises OutputError when the disk is full or refuses to be written, SchemaError when the file is damaged. What is changed is
    on disk when the call returns; what is noted is seen by everyone at once, and is written with the next change or flush.
    """

    def __init__(self, path: Path) -> None:
        """Open or create it; raises Conflict while another process has it, SchemaError for one that a newer Faceplate wrote."""
        self.path = path
        self._lock = threading.RLock()
        self._live: dict[str, Job] = {}  # of which there may be more to say than the table knows
        self._noted: dict[str, set[str]] = {}
        with written(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite would open one that is read-only, and stumble later. (Opening it here would drop the locks on it in the end.)
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with explained(path):
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=1, isolation_level=None, check_same_thread=False)
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
        """Write what was noted, and let go of the file."""
        with self._lock:
            try:
                self.flush()
            finally:
                self._db.close()

    def add(self, **fields: Any) -> Job:
        """Add a job that waits; id, kind, title, request, key, lane and device must be given."""
        job = Job(**{"created": time.time(), **fields})
        row = to_row({name: getattr(job, name) for name in COLUMNS if name != "seq"})
        with self._writing() as db:
            names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
            seq = db.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", row).lastrowid
        return replace(job, seq=seq or 0)

    def get(self, id: str) -> Job | None:
        """One job, None if there is none."""
        with self._lock:
            return self._live.get(id) or next(iter(self._select("WHERE id = ?", id)), None)

    def list(self, state: State | None = None, limit: int = 100, before: str | None = None) -> Jobs:
        """Jobs, the newest first; before: only older ones than this."""
        with self._lock:
            where = "WHERE (:state IS NULL OR state = :state)"
            where += " AND (:before IS NULL OR seq < (SELECT seq FROM jobs WHERE id = :before))"
            found = self._select(f"{where} ORDER BY seq DESC LIMIT :limit", state=state, limit=limit, before=before)
            return [job for job in found if state in (None, job.state)]  # more may have been noted

    def active(self) -> Jobs:
        """What waits or runs, the oldest first."""
        with self._lock:
            return [job for job in self._select(f"WHERE {_ACTIVE} ORDER BY seq") if job.active]

    def count(self, state: State) -> int:
        """How many jobs are in a state."""
        with self._lock, explained(self.path):
            (found,) = self._db.execute("SELECT count(*) FROM jobs WHERE state = ?", (state,)).fetchone()
            return int(found)

    def by_key(self, kind: str, key: str) -> Job | None:
        """The newest job that asks for the same."""
        with self._lock:
            return next(iter(self._select("WHERE key = ? AND kind = ? ORDER BY seq DESC LIMIT 1", key, kind)), None)

    def next(self, lane: str) -> Job | None:
        """What goes next: of those that wait in a lane the oldest of the highest priority."""
        with self._lock:
            order = "WHERE state = 'queued' AND lane = ? ORDER BY priority DESC, seq LIMIT ?"
            found = self._select(order, lane, len(self._live) + 1)
            return next((job for job in found if job.state == "queued"), None)

    def change(self, id: str, **fields: Any) -> Job:
        """Change a job on disk; raises NotFound. When the disk refuses, nothing has changed."""
        with self._lock:
            job = replace(self._known(id), **fields)
            names = self._noted.get(id, set()) | set(fields)
            with self._writing():
                self._update(job, names)
            self._settle(job)
            return job

    def note(self, id: str, **fields: Any) -> Job:
        """Change a job in memory; raises NotFound."""
        with self._lock:
            job = self._live[id] = replace(self._known(id), **fields)
            self._noted.setdefault(id, set()).update(fields)
            return job

    def flush(self) -> None:
        """Write what was noted."""
        with self._lock:
            if not self._noted:
                return
            with self._writing():
                for id, names in self._noted.items():
                    self._update(self._live[id], names)
            for id in tuple(self._noted):
                self._settle(self._live[id])

    def requeue_running(self) -> Jobs:
        """After an engine has died: what ran waits again, but what its user had cancelled is cancelled. Returns what waits again."""
        self._live.clear()
        self._noted.clear()
        with self._writing() as db:
            db.execute(
                f"UPDATE jobs SET state = 'cancelled', ended = ? WHERE {_ACTIVE} AND cancelling = 1", (time.time(),)
            )
            changed = "UPDATE jobs SET state = 'queued', again = 1, started = NULL WHERE state = 'running'"
            ids = [id for (id,) in db.execute(f"{changed} RETURNING id").fetchall()]
        return [job for id in ids if (job := self.get(id))]

    def prune(self, keep: int = 1000, short: int = 100) -> Ids:
        """Forget all but the newest `keep` of those that have ended, of short ones `short`; returns whose they were."""
        old = f"SELECT seq FROM jobs WHERE NOT {_ACTIVE} AND lane {{}} 'device' ORDER BY seq DESC LIMIT -1 OFFSET ?"
        delete = f"DELETE FROM jobs WHERE seq IN ({old}) RETURNING id"
        with self._writing() as db:
            found = [db.execute(delete.format(which), (n,)).fetchall() for which, n in (("=", keep), ("!=", short))]
            return [id for rows in found for (id,) in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # some errors of SQLite have ended it already
                    self._db.execute("ROLLBACK")
                raise

    def _update(self, job: Job, names: set[str]) -> None:
        row = to_row({name: getattr(job, name) for name in names})
        self._db.execute(
            f"UPDATE jobs SET {', '.join(f'{name} = :{name}' for name in row)} WHERE id = :id", {**row, "id": job.id}
        )

    def _settle(self, job: Job) -> None:
        """All of it is on disk; one that runs is kept at hand, for it will change often."""
        self._noted.pop(job.id, None)
        if job.state == "running":
            self._live[job.id] = job
        else:
            self._live.pop(job.id, None)

    def _known(self, id: str) -> Job:
        job = self.get(id)
        if job is None:
            raise no_job(id)
        return job

    def _select(self, rest: str, *values: Any, **named: Any) -> Jobs:
        with explained(self.path):
            rows = self._db.execute(f"{_SELECT} {rest}", named or values).fetchall()
        return [self._live.get(job.id, job) for job in map(from_row, rows)]
