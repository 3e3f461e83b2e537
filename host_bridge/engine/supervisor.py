"""The supervisor: schedules the jobs of the queue on devices and warm processes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from host_bridge.engine.job import LOG, Conflict, Job
from host_bridge.engine.keys import content_key, stamps, untouched
from host_bridge.engine.process import Event, JobProcess, kill_marked
from host_bridge.engine.queue import Queue, writable
from host_bridge.engine.run import Rate, after_death, after_event
from host_bridge.jobs import KINDS, Kind, Request, parse
from nodes.errors import FaceplateError, OutputError

DEVICE = "device"  # the lane of jobs that need one
PRUNE_EVERY = 100
# Seconds for a cancelled job, for an engine that stops, for an idle warm process, for a job's process after its last event.
CANCEL_GRACE, STOP_GRACE, IDLE, LEAVE = 1.5, 5.0, 600.0, 5.0
WRITE_EVERY, TELL_EVERY = 0.5, 0.2
_log = logging.getLogger(__name__)


class Slot:
    """A place for one job at a time: a device, or the warm process of a kind, which stays after its job.

    id: the job that runs here. gone: set when the job has left. rest: timer that ends an idle warm process.
    """

    def __init__(self, lane: str, device: str) -> None:
        self.lane, self.device, self.warm = lane, device, lane != DEVICE
        self.process: JobProcess | None = None
        self.id: str | None = None
        self.gone, self.rate = asyncio.Event(), Rate()
        self.rest: asyncio.TimerHandle | None = None

    @property
    def free(self) -> bool:
        """Return True if a job can be started here."""
        return self.id is None and (self.process is None or (self.warm and not self.process.leaving))


class Supervisor:
    """Scheduler of a queue's jobs, for the main thread and one event loop; raises NotFound and Conflict, and the queue's errors.

    folder: the state folder; a job's own is `jobs/ID` in it. devices: each runs one job at a time. kinds: of jobs; `module`
    is where job processes find the same as KINDS. idle: seconds after which a warm process ends. trouble: why nothing can be started or
    written now, such as a full disk; results are kept, and writing is tried again twice a second.
    """

    def __init__(
        self,
        queue: Queue,
        folder: Path,
        devices: Sequence[str] = ("cpu",),
        *,
        kinds: Mapping[str, Kind] = KINDS,
        module: str = "host_bridge.jobs",
        idle: float = IDLE,
    ) -> None:
        self.queue, self.devices, self.kinds = queue, tuple(devices), kinds
        self.trouble: str | None = None
        self.touch()
        self._folder, self._module, self._idle = folder, module, idle
        self._mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._slots = [Slot(DEVICE, device) for device in devices]
        self._slots += [Slot(kind.name, devices[0]) for kind in kinds.values() if kind.warm]
        self._writer: asyncio.Task[None] | None = None
        self._stopping = self._released = False
        self._listeners: list[dict[str, None]] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._ended_count = 0

    async def start(self) -> None:
        """Take over from an earlier engine: end its processes, requeue its running jobs, delete old ones."""
        await asyncio.to_thread(kill_marked, f"{self._mark}:")
        self.queue.requeue_running()
        for job in self.queue.active():
            if job.lane != self._lane(job.kind):  # another Faceplate queued it
                self.queue.change(job.id, lane=self._lane(job.kind))
        self._prune()
        self._start_next()
        self._writer = asyncio.create_task(self._keep_writing())

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """End in good order: running jobs are stopped and requeued for the next engine. No process is left."""
        self._stopping = True
        if self._writer:
            self._writer.cancel()
        for slot in self._slots:
            if slot.process:
                slot.process.terminate(grace if slot.id else 0)
        while any(slot.process for slot in self._slots):
            await asyncio.sleep(0.02)
        self.queue.flush()

    def release(self) -> None:
        """End all waiting and listening, now and later: the engine ends."""
        self._released = True
        for end in self._ends.values():
            end.set()

    def touch(self) -> None:
        """Note activity, which delays the idle stop."""
        self.last_activity = time.monotonic()

    @property
    def busy(self) -> bool:
        """Return True if anything runs or waits."""
        return any(slot.id for slot in self._slots) or self.queue.count("queued") > 0

    def folder(self, id: str) -> Path:
        """Return the folder of a job, for its log and pictures."""
        return self._folder / "jobs" / id

    async def submit(self, kind: str, request: Request, priority: int | None = None) -> tuple[Job, bool]:
        """Queue a request; returns its job, and True for a new one.

        Submitting a request that is queued or running already returns the existing job; so does one that is finished, unless its kind is
        uncacheable or a file that it read or wrote has changed since.
        """
        definition = self.kinds[kind]
        key = await asyncio.to_thread(content_key, kind, request)  # looks at up to thousands of files
        same = self.queue.by_key(kind, key)
        done = same is not None and same.state == "finished" and not definition.uncacheable
        if same and done and await asyncio.to_thread(untouched, same.outputs or {}):
            return same, False
        same = self.queue.by_key(kind, key)  # from here on without await
        if same and same.active:
            return same, False
        job = self.queue.add(
            id=secrets.token_hex(8),
            kind=kind,
            title=request.title.encode(errors="replace").decode(),
            request=request.model_dump(mode="json"),
            key=key,
            lane=self._lane(kind),
            device=self.devices[0],
            priority=definition.priority if priority is None else priority,
        )
        self._notify(job.id)
        self._start_next()
        return self.queue.get(job.id), True

    async def cancel(self, id: str) -> Job:
        """End a queued or running job, within two seconds, with all that it has started."""
        job = self.queue.get(id)
        if job.state == "cancelled":
            return job
        if not job.active:
            raise Conflict(f"job {id} has {job.state} already", remedy="There is nothing to cancel")
        slot = next((slot for slot in self._slots if slot.id == id), None)
        if slot is None or slot.process is None:
            job = self.queue.change(id, state="cancelled", ended=time.time())
            self._notify(id)
            return job
        try:
            self.queue.change(id, cancelling=True)  # so that an engine that dies now does not run it again
        except Exception:
            _log.exception("a request to cancel cannot be written")
            self.queue.note(id, cancelling=True)  # cancel it even when the disk is full
        slot.process.terminate(CANCEL_GRACE)
        await slot.gone.wait()
        return self.queue.get(id)

    async def retry(self, id: str) -> Job:
        """Queue a failed or cancelled job again; it continues where it stopped, if its kind can."""
        job = self.queue.get(id)
        key = await asyncio.to_thread(content_key, job.kind, parse(job.kind, job.request, self.kinds))
        job = self.queue.get(id)
        if job.state not in ("failed", "cancelled"):
            raise Conflict(f"job {id} is {job.state}", remedy="Only what has failed or was cancelled can be retried")
        same = self.queue.by_key(job.kind, key)
        if same and same.active:
            raise Conflict(f"the same is {same.state} already", remedy=f"See job {same.id}")
        fresh = {"state": "queued", "started": None, "ended": None, "error": None, "result": None, "cancelling": False}
        # After an error before any progress the folder may be another job's: do not continue there.
        again = job.again or job.progress is not None
        self.queue.change(id, **fresh, key=key, attempt=job.attempt + 1, kills=0, again=again)
        self._notify(id)
        self._start_next()
        return self.queue.get(id)

    async def wait(self, id: str, seconds: float) -> Job:
        """Wait until a job has ended, or the time is over."""
        if self.queue.get(id).active and not self._released:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ends.setdefault(id, asyncio.Event()).wait(), seconds)
        return self.queue.get(id)

    async def changes(self) -> AsyncIterator[Job]:
        """Coalesced job updates: the latest state of each job that changes, at most five times a second, until the engine ends."""
        pending: dict[str, None] = {}  # in the order in which they have changed
        self._listeners.append(pending)
        try:
            while not self._released:
                for id in tuple(pending):
                    del pending[id]
                    if job := self.queue.find(id):
                        yield job
                await asyncio.sleep(TELL_EVERY)
        finally:
            self._listeners = [listener for listener in self._listeners if listener is not pending]

    def _start_next(self) -> None:
        if self._stopping:
            return
        try:
            self.queue.flush()
            for slot in self._slots:
                if slot.free and (job := self.queue.next(slot.lane)):
                    self._start(slot, job)
            self.trouble = None
        except FaceplateError as e:
            self._note_trouble(e)

    def _start(self, slot: Slot, job: Job) -> None:
        folder = self.folder(job.id)
        log = folder / LOG
        with writable(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if log.exists():
                with log.open("a", encoding="utf-8") as file:
                    file.write(f"--- attempt {job.attempt}\n")
            else:
                log.touch(mode=0o600)
        # After a crash a short job is still queued on disk: two writes are enough for it.
        change = self.queue.note if slot.warm else self.queue.change
        fields = {"started": time.time(), "ended": None, "device": slot.device, "error": None, "result": None}
        job = change(job.id, state="running", **fields)
        try:
            process = slot.process = slot.process or self._process(slot, folder)
        except OSError as e:
            self.queue.note(job.id, state="queued", started=None)  # the disk may be full too
            raise OutputError(f"no process can be started ({e.strerror or e})", remedy="Close other programs") from e
        slot.id, slot.gone, slot.rate = job.id, asyncio.Event(), Rate()
        if slot.rest:
            slot.rest.cancel()
        order = {"id": job.id, "kind": job.kind, "request": job.request, "folder": str(folder), "again": job.again}
        process.send({**order, "log": str(log) if slot.warm else None})
        self._notify(job.id)

    def _process(self, slot: Slot, folder: Path) -> JobProcess:
        cuda = slot.device.removeprefix("cuda:")
        return JobProcess(
            self._module,
            mark=f"{self._mark}:{secrets.token_hex(8)}",
            log=folder.parent / f"{slot.lane}.txt" if slot.warm else folder / LOG,
            env={"CUDA_VISIBLE_DEVICES": cuda} if cuda != slot.device else {},
            stay=slot.warm,
            on_event=lambda event: self._event(slot, event),
            on_exit=lambda status: self._exit(slot, status),
        )

    def _event(self, slot: Slot, event: Event) -> None:
        if slot.id is None or (job := self.queue.get(slot.id)).state != "running":
            return
        fields = after_event(job, event, slot.rate, self.folder(job.id) / LOG)
        if fields.get("state") == "finished" and job.kind in self.kinds:
            fields["outputs"] = stamps(self.kinds[job.kind].request.model_validate(job.request).writes())
        job, loop = self.queue.note(job.id, **fields), asyncio.get_running_loop()
        if job.state == "running":
            self._notify(job.id)
        elif slot.warm:
            self._vacate(slot)
            slot.rest = loop.call_later(self._idle, self._end_idle, slot)
            self._start_next()
        elif slot.process:
            self._write()
            self._notify(job.id)
            loop.call_later(LEAVE, slot.process.kill)

    def _exit(self, slot: Slot, status: int) -> None:
        slot.process = None
        if slot.id:
            job = self.queue.get(slot.id)
            if job.state == "running":
                log = self.folder(job.id) / LOG
                self.queue.note(job.id, **after_death(job, status, self._stopping, log))
            self._vacate(slot)
        self._start_next()

    def _vacate(self, slot: Slot) -> None:
        id, slot.id = slot.id, None
        assert id
        self._write()
        self._notify(id)
        slot.gone.set()

    def _end_idle(self, slot: Slot) -> None:
        if slot.process and slot.id is None:
            slot.process.terminate(0)

    async def _keep_writing(self) -> None:
        """Write noted jobs twice a second, and retry failed starts."""
        while True:
            await asyncio.sleep(WRITE_EVERY)
            self._start_next() if self.trouble else self._write()

    def _write(self) -> None:
        try:
            self.queue.flush()
        except FaceplateError as e:
            self._note_trouble(e)

    def _note_trouble(self, error: FaceplateError) -> None:
        if str(error) != self.trouble:
            _log.error("%s", error)
        self.trouble = str(error)

    def _lane(self, kind: str) -> str:
        return kind if kind in self.kinds and self.kinds[kind].warm else DEVICE

    def _notify(self, id: str) -> None:
        """Notify listeners that a job has changed, and waiters that it has ended."""
        for listener in self._listeners:
            listener[id] = None
        job = self.queue.find(id)
        if job and not job.active:
            self.touch()
            if end := self._ends.pop(id, None):
                end.set()
            self._ended_count += 1
            if self._ended_count % PRUNE_EVERY == 0:
                asyncio.get_running_loop().call_soon(self._prune)

    def _prune(self) -> None:
        with contextlib.suppress(OutputError):  # a full disk: it can wait
            for id in self.queue.prune():
                shutil.rmtree(self.folder(id), ignore_errors=True)
