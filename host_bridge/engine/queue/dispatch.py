"""What runs at once: one job on each device, and one on the warm process of each kind that has one."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from host_bridge.engine.queue.disk import written
from host_bridge.engine.queue.record import Job
from host_bridge.engine.queue.run import Run
from host_bridge.engine.queue.store import Store
from host_bridge.engine.queue.worker import Event, Worker
from host_bridge.jobs import Kind
from nodes.errors import FaceplateError, OutputError

DEVICE = "device"  # the lane of what needs one
LOG = "log.txt"
WRITE_EVERY, TRY_AGAIN, LEAVE = 0.5, 2.0, 5.0
_log = logging.getLogger(__name__)


class Place:
    """Where one job at a time can run: on a device, or in the warm process of a kind, which stays when its job is done."""

    def __init__(self, lane: str, device: str) -> None:
        self.lane, self.device = lane, device
        self.warm = lane != DEVICE
        self.worker: Worker | None = None
        self.run: Run | None = None
        self.rest: asyncio.TimerHandle | None = None

    @property
    def free(self) -> bool:
        """Whether a job can be started here."""
        return self.run is None and (self.worker is None or (self.warm and not self.worker.leaving))


class Dispatcher:
    """Starts what can be started, and notes what comes of it. told: is called with the id of every job that has changed.

    trouble: why nothing can be started or written just now; what has come of jobs meanwhile is kept, and written when it can be.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        devices: Sequence[str],
        kinds: Mapping[str, Kind],
        module: str,
        idle: float,
        told: Callable[[str], None],
    ) -> None:
        self.trouble: str | None = None
        self.runs: dict[str, Run] = {}
        self._store, self._folder, self._kinds, self._module, self._idle = store, folder, kinds, module, idle
        self.mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._told = told
        self._places = [Place(DEVICE, device) for device in devices]
        self._places += [Place(kind.name, devices[0]) for kind in kinds.values() if kind.warm]
        self._timer: asyncio.TimerHandle | None = None  # until what was noted is written
        self._again: asyncio.TimerHandle | None = None  # until what failed is tried again
        self._stopping = False

    def folder(self, id: str) -> Path:
        """The folder of a job: its log and its pictures."""
        return self._folder / "jobs" / id

    def go(self) -> None:
        """Start all that can be started now."""
        if self._stopping:
            return
        if self._again:
            self._again.cancel()
            self._again = None
        try:
            self._store.flush()
            for place in self._places:
                if place.free and (job := self._store.next(place.lane)):
                    self._start(place, job)
            self.trouble = None
        except FaceplateError as e:
            self._hold(e)

    async def stop(self, grace: float) -> None:
        """Ask all that runs to end, and wait for it; what has not finished waits again for the next engine."""
        self._stopping = True
        for timer in (self._timer, self._again):
            if timer:
                timer.cancel()
        for place in self._places:
            if place.worker:
                place.worker.terminate(grace if place.run else 0)
        while any(place.worker for place in self._places):
            await asyncio.sleep(0.02)
        self._store.flush()

    def _start(self, place: Place, job: Job) -> None:
        folder = self.folder(job.id)
        log = folder / LOG
        with written(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if log.exists():
                with log.open("a", encoding="utf-8") as file:
                    file.write(f"--- attempt {job.attempt}\n")
            else:
                log.touch(mode=0o600)
        # A short job that is lost in a crash still waits: two writes to the disk are enough for it.
        change = self._store.note if place.warm else self._store.change
        fields = {"started": time.time(), "ended": None, "device": place.device, "error": None, "result": None}
        job = change(job.id, state="running", **fields)
        try:
            place.worker = place.worker or self._worker(place, folder)
        except OSError as e:
            self._store.note(job.id, state="queued", started=None)  # the disk may be full too
            raise OutputError(f"no process can be started ({e.strerror or e})", remedy="Close other programs") from e
        place.run = self.runs[job.id] = Run(job, self._kinds.get(job.kind), place.worker, self._store, log)
        if place.rest:
            place.rest.cancel()
        told = {"id": job.id, "kind": job.kind, "request": job.request, "folder": str(folder), "again": job.again}
        place.worker.send({**told, "log": str(log) if place.warm else None})
        self._told(job.id)

    def _worker(self, place: Place, folder: Path) -> Worker:
        log = folder.parent / f"{place.lane}.txt" if place.warm else folder / LOG
        cuda = place.device.removeprefix("cuda:")
        return Worker(
            self._module,
            mark=f"{self.mark}:{secrets.token_hex(8)}",
            log=log,
            env={"CUDA_VISIBLE_DEVICES": cuda} if cuda != place.device else {},
            stay=place.warm,
            on_event=lambda event: self._event(place, event),
            on_exit=lambda status: self._exit(place, status),
        )

    def _event(self, place: Place, event: Event) -> None:
        run, worker = place.run, place.worker
        if run is None or run.over:
            return
        run.event(event)
        if not run.over:
            self._told(run.id)
            self._timer = self._timer or asyncio.get_running_loop().call_later(WRITE_EVERY, self._write)
            return
        if place.warm:
            self._leave(place)
            place.rest = asyncio.get_running_loop().call_later(self._idle, self._rest, place)
            self.go()
        elif worker:
            self._write()
            self._told(run.id)
            asyncio.get_running_loop().call_later(LEAVE, worker.kill)

    def _exit(self, place: Place, status: int) -> None:
        place.worker = None
        if place.run:
            place.run.died(status, self._stopping)
            self._leave(place)
        self.go()

    def _leave(self, place: Place) -> None:
        run, place.run = place.run, None
        if run:
            del self.runs[run.id]
            self._write()
            self._told(run.id)
            run.gone.set()

    def _rest(self, place: Place) -> None:
        if place.worker and place.run is None:
            place.worker.terminate(0)

    def _write(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        try:
            self._store.flush()
        except FaceplateError as e:
            self._hold(e)

    def _hold(self, error: FaceplateError) -> None:
        if str(error) != self.trouble:
            _log.error("%s", error)
        self.trouble = str(error)
        self._again = self._again or asyncio.get_running_loop().call_later(TRY_AGAIN, self.go)
