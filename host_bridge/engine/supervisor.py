"""The supervisor: decides which job runs when and where, and answers for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from host_bridge.engine.job import LOG, Conflict, Job
from host_bridge.engine.keys import content_key, untouched
from host_bridge.engine.process import Event, JobProcess, kill_marked
from host_bridge.engine.queue import Queue, writable
from host_bridge.engine.run import JobRun
from host_bridge.jobs import KINDS, Kind, Request
from nodes.errors import FaceplateError, OutputError

DEVICE = "device"  # the lane of jobs that need one
PRUNE_EVERY = 100
# Seconds: of a cancelled job, of an engine that stops, of a warm process without work, of a job's process after its last word.
CANCEL_GRACE, STOP_GRACE, IDLE, LEAVE = 1.5, 5.0, 600.0, 5.0
WRITE_EVERY, TRY_AGAIN, TELL_EVERY = 0.5, 2.0, 0.2
_log = logging.getLogger(__name__)


class Slot:
    """A place for one job at a time: a device, or the warm process of a kind, which stays when its job is done."""

    def __init__(self, lane: str, device: str) -> None:
        self.lane, self.device, self.warm = lane, device, lane != DEVICE
        self.process: JobProcess | None = None
        self.run: JobRun | None = None
        self.rest: asyncio.TimerHandle | None = None  # until a warm process without work ends

    @property
    def free(self) -> bool:
        """Whether a job can be started here."""
        return self.run is None and (self.process is None or (self.warm and not self.process.leaving))


class Subscription:
    """Coalesced job updates: a listener gets a job's latest state, at most five times a second."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._changed: dict[str, None] = {}
        self._told: dict[str, float] = {}
        self._some, self._closed = asyncio.Event(), False

    def put(self, id: str) -> None:
        """Note that a job has changed."""
        self._changed[id] = None
        self._some.set()

    def close(self) -> None:
        """Note that the engine ends."""
        self._closed = True
        self._some.set()

    async def get(self) -> Job | None:
        """Wait for the next job that has changed; None when the engine ends."""
        while True:
            await self._some.wait()
            if self._closed:
                return None
            now = time.monotonic()
            self._told = {id: when for id, when in self._told.items() if now - when < TELL_EVERY}
            due = next((id for id in self._changed if id not in self._told), None)
            if due is None:
                await asyncio.sleep(min(when + TELL_EVERY - now for when in self._told.values()))
                continue
            del self._changed[due]
            if not self._changed:
                self._some.clear()
            self._told[due] = now
            if job := self._queue.find(due):
                return job


class Supervisor:
    """Runs the jobs of a queue. To be used in the main thread, on one event loop; raises NotFound and Conflict, and the queue's errors.

    folder: the state folder; a job's own is `jobs/ID` in it. devices: each runs one job at a time. kinds: what can be submitted; `module`
    is where job processes find the same as KINDS. idle: seconds after which a warm process ends. trouble: why nothing can be started or
    written just now, such as a full disk; what has come of jobs meanwhile is kept, and tried again every two seconds.
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
        self.last_activity = time.monotonic()
        self._folder, self._module, self._idle = folder, module, idle
        self._mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._slots = [Slot(DEVICE, device) for device in devices]
        self._slots += [Slot(kind.name, devices[0]) for kind in kinds.values() if kind.warm]
        self._runs: dict[str, JobRun] = {}
        self._timer: asyncio.TimerHandle | None = None  # until what was noted is written
        self._retry: asyncio.TimerHandle | None = None  # until what failed is tried again
        self._stopping = False
        self._listeners: set[Subscription] = set()
        self._ends: dict[str, asyncio.Event] = {}
        self._ended = 0

    async def start(self) -> None:
        """Take over from an earlier engine: end its processes, queue again what ran, delete what is old."""
        await asyncio.to_thread(kill_marked, f"{self._mark}:")
        self.queue.requeue_running()
        for job in self.queue.active():
            if job.lane != self._lane(job.kind):  # another Faceplate queued it
                self.queue.change(job.id, lane=self._lane(job.kind))
        self._prune()
        self._go()

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """End in good order: running jobs are asked to stop, and wait for the next engine. No process is left."""
        self._stopping = True
        for timer in (self._timer, self._retry):
            if timer:
                timer.cancel()
        for slot in self._slots:
            if slot.process:
                slot.process.terminate(grace if slot.run else 0)
        while any(slot.process for slot in self._slots):
            await asyncio.sleep(0.02)
        self.queue.flush()

    def release(self) -> None:
        """Release all who listen to jobs or wait for one: the engine ends."""
        for listener in self._listeners:
            listener.close()
        for end in self._ends.values():
            end.set()

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self._runs) or self.queue.count("queued") > 0

    def folder(self, id: str) -> Path:
        """The folder of a job: its log and its pictures."""
        return self._folder / "jobs" / id

    async def submit(self, kind: str, request: Request, priority: int | None = None) -> tuple[Job, bool]:
        """Queue a request; returns its job, and whether it is a new one.

        Submitting a request that is queued or running already returns the existing job; so does one that is finished, unless its kind is
        uncacheable or a file that it read or wrote has changed since.
        """
        self.last_activity = time.monotonic()
        wanted = self.kinds[kind]
        key = await asyncio.to_thread(content_key, kind, request)  # looks at up to thousands of files
        same = self.queue.by_key(kind, key)
        done = same is not None and same.state == "finished" and not wanted.uncacheable
        if same and done and await asyncio.to_thread(untouched, same.outputs or {}):
            return same, False
        same = self.queue.by_key(kind, key)  # from here on nothing can come in between
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
            priority=wanted.priority if priority is None else priority,
        )
        self._tell(job.id)
        self._go()
        return self.queue.get(job.id), True

    async def cancel(self, id: str) -> Job:
        """End a queued or running job, within two seconds, with all that it has started."""
        self.last_activity = time.monotonic()
        job = self.queue.get(id)
        if job.state == "cancelled":
            return job
        if not job.active:
            raise Conflict(f"job {id} has {job.state} already", remedy="There is nothing to cancel")
        run = self._runs.get(id)
        if run is None:
            job = self.queue.change(id, state="cancelled", ended=time.time())
            self._tell(id)
            return job
        try:
            self.queue.change(id, cancelling=True)  # an engine that dies now must not begin it again
        except Exception:
            _log.exception("a request to cancel cannot be written")
            self.queue.note(id, cancelling=True)  # a full disk is no reason to let it run on
        run.process.terminate(CANCEL_GRACE)
        await run.gone.wait()
        return self.queue.get(id)

    async def retry(self, id: str) -> Job:
        """Queue a failed or cancelled job again; it continues what it has left, where its kind can."""
        self.last_activity = time.monotonic()
        job = self.queue.get(id)
        kind = self.kinds.get(job.kind)
        if kind is None:
            raise Conflict(f"there is no job '{job.kind}' any more", remedy=f"Ask for one of {', '.join(self.kinds)}")
        key = await asyncio.to_thread(content_key, job.kind, kind.request.model_validate(job.request))
        job = self.queue.get(id)
        if job.state not in ("failed", "cancelled"):
            raise Conflict(f"job {id} is {job.state}", remedy="Only what has failed or was cancelled can be retried")
        same = self.queue.by_key(job.kind, key)
        if same and same.active:
            raise Conflict(f"the same is {same.state} already", remedy=f"See job {same.id}")
        fresh = {"state": "queued", "started": None, "ended": None, "error": None, "result": None, "cancelling": False}
        # After an error before any progress the folder may be somebody else's: nothing is continued there.
        again = job.again or job.progress is not None
        self.queue.change(id, **fresh, key=key, attempt=job.attempt + 1, kills=0, again=again)
        self._tell(id)
        self._go()
        return self.queue.get(id)

    async def wait(self, id: str, seconds: float) -> Job:
        """Wait until a job has ended, or the time is over."""
        if self.queue.get(id).active:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ends.setdefault(id, asyncio.Event()).wait(), seconds)
        return self.queue.get(id)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen to jobs that change, as long as the block lasts."""
        listener = Subscription(self.queue)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def _go(self) -> None:
        """Start all jobs that can be started now."""
        if self._stopping:
            return
        if self._retry:
            self._retry.cancel()
            self._retry = None
        try:
            self.queue.flush()
            for slot in self._slots:
                if slot.free and (job := self.queue.next(slot.lane)):
                    self._start(slot, job)
            self.trouble = None
        except FaceplateError as e:
            self._hold(e)

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
        # A short job that is lost in a crash is still queued: two writes to the disk are enough for it.
        change = self.queue.note if slot.warm else self.queue.change
        fields = {"started": time.time(), "ended": None, "device": slot.device, "error": None, "result": None}
        job = change(job.id, state="running", **fields)
        try:
            process = slot.process = slot.process or self._process(slot, folder)
        except OSError as e:
            self.queue.note(job.id, state="queued", started=None)  # the disk may be full too
            raise OutputError(f"no process can be started ({e.strerror or e})", remedy="Close other programs") from e
        slot.run = self._runs[job.id] = JobRun(job, self.kinds.get(job.kind), process, self.queue, log)
        if slot.rest:
            slot.rest.cancel()
        order = {"id": job.id, "kind": job.kind, "request": job.request, "folder": str(folder), "again": job.again}
        process.send({**order, "log": str(log) if slot.warm else None})
        self._tell(job.id)

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
        run, process, loop = slot.run, slot.process, asyncio.get_running_loop()
        if run is None or run.over:
            return
        run.take(event)
        if not run.over:
            self._tell(run.id)
            self._timer = self._timer or loop.call_later(WRITE_EVERY, self._write)
        elif slot.warm:
            self._leave(slot)
            slot.rest = loop.call_later(self._idle, self._end_idle, slot)
            self._go()
        elif process:
            self._write()
            self._tell(run.id)
            loop.call_later(LEAVE, process.kill)

    def _exit(self, slot: Slot, status: int) -> None:
        slot.process = None
        if slot.run:
            slot.run.died(status, self._stopping)
            self._leave(slot)
        self._go()

    def _leave(self, slot: Slot) -> None:
        run, slot.run = slot.run, None
        if run:
            del self._runs[run.id]
            self._write()
            self._tell(run.id)
            run.gone.set()

    def _end_idle(self, slot: Slot) -> None:
        if slot.process and slot.run is None:
            slot.process.terminate(0)

    def _write(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        try:
            self.queue.flush()
        except FaceplateError as e:
            self._hold(e)

    def _hold(self, error: FaceplateError) -> None:
        if str(error) != self.trouble:
            _log.error("%s", error)
        self.trouble = str(error)
        self._retry = self._retry or asyncio.get_running_loop().call_later(TRY_AGAIN, self._go)

    def _lane(self, kind: str) -> str:
        return kind if kind in self.kinds and self.kinds[kind].warm else DEVICE

    def _tell(self, id: str) -> None:
        """Tell listeners that a job has changed, and those who wait that it has ended."""
        for listener in self._listeners:
            listener.put(id)
        job = self.queue.find(id)
        if job and not job.active:
            self.last_activity = time.monotonic()
            if end := self._ends.pop(id, None):
                end.set()
            self._ended += 1
            if self._ended % PRUNE_EVERY == 0:
                asyncio.get_running_loop().call_soon(self._prune)

    def _prune(self) -> None:
        with contextlib.suppress(OutputError):  # a full disk: it can wait
            for id in self.queue.prune():
                shutil.rmtree(self.folder(id), ignore_errors=True)
