"""The queue as the server sees it: submit, cancel, retry, wait, listen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from host_bridge.engine.queue.dispatch import DEVICE, Dispatcher
from host_bridge.engine.queue.errors import Conflict, no_job
from host_bridge.engine.queue.keys import content_key, untouched
from host_bridge.engine.queue.processes import kill_marked
from host_bridge.engine.queue.record import Job
from host_bridge.engine.queue.store import Store
from host_bridge.engine.queue.updates import Subscription, Updates
from host_bridge.jobs import KINDS, Kind, Request
from nodes.errors import OutputError

_log = logging.getLogger(__name__)
PRUNE_EVERY = 100
CANCEL_GRACE, STOP_GRACE, IDLE = 1.5, 5.0, 600.0


class Supervisor:
    """Runs the jobs of a store. To be used in the main thread, on one event loop; raises NotFound and Conflict, and the store's errors.

    folder: the state folder; a job's own is `jobs/ID` in it. devices: each runs one job at a time. kinds: what can be asked for; `module`
    is where the children find the same as KINDS. idle: seconds after which a warm process ends.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        devices: Sequence[str] = ("cpu",),
        *,
        kinds: Mapping[str, Kind] = KINDS,
        module: str = "host_bridge.jobs",
        idle: float = IDLE,
    ) -> None:
        self.store, self.devices, self.kinds = store, tuple(devices), kinds
        self.last_activity = time.monotonic()
        self._updates = Updates(store.get)
        self._ends: dict[str, asyncio.Event] = {}
        self._ended = 0
        self._dispatcher = Dispatcher(store, folder, devices, kinds, module, idle, self._told)

    async def start(self) -> None:
        """Take up what an earlier engine has left: end processes of its, queue again what ran, forget what is old."""
        await asyncio.to_thread(kill_marked, f"{self._dispatcher.mark}:")
        self.store.requeue_running()
        for job in self.store.active():
            if job.lane != self._lane(job.kind):  # another Faceplate queued it
                self.store.change(job.id, lane=self._lane(job.kind))
        self._prune()
        self._dispatcher.go()

    async def stop(self) -> None:
        """End in good order: what runs is asked to stop, and waits for the next engine. Nothing that was started is left."""
        await self._dispatcher.stop(STOP_GRACE)
        self._updates.close()

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self._dispatcher.runs) or self.store.count("queued") > 0

    @property
    def trouble(self) -> str | None:
        """Why nothing can be started or written just now, a sentence: a full disk, say. It is tried again every two seconds."""
        return self._dispatcher.trouble

    async def submit(self, kind: str, request: Request, priority: int | None = None) -> tuple[Job, bool]:
        """Queue a request; returns its job, and whether it is a new one.

        Who asks for what waits or runs already gets that job. What has been done is not done again, as long as nothing it read and
        nothing it wrote has changed since.
        """
        self.last_activity = time.monotonic()
        found = self.kinds[kind]
        key = await asyncio.to_thread(content_key, kind, request)  # looks at up to thousands of files
        same = self.store.by_key(kind, key)
        done = same is not None and same.state == "finished" and not found.looks
        if same and done and await asyncio.to_thread(untouched, same.outputs or {}):
            return same, False
        same = self.store.by_key(kind, key)  # from here on nobody comes in between
        if same and same.active:
            return same, False
        job = self.store.add(
            id=secrets.token_hex(8),
            kind=kind,
            title=request.title.encode(errors="replace").decode(),
            request=request.model_dump(mode="json"),
            key=key,
            lane=self._lane(kind),
            device=self.devices[0],
            priority=found.priority if priority is None else priority,
        )
        self._told(job.id)
        self._dispatcher.go()
        return self._job(job.id), True

    async def cancel(self, id: str) -> Job:
        """End a job that waits or runs, within two seconds, with all that it has started."""
        self.last_activity = time.monotonic()
        job = self._job(id)
        if job.state == "cancelled":
            return job
        if not job.active:
            raise Conflict(f"job {id} has {job.state} already", remedy="There is nothing to cancel")
        run = self._dispatcher.runs.get(id)
        if run is None:
            job = self.store.change(id, state="cancelled", ended=time.time())
            self._told(id)
            return job
        try:
            self.store.change(id, cancelling=True)  # an engine that dies now is not to begin it again
        except Exception:
            _log.exception("a request to cancel cannot be written")
            self.store.note(id, cancelling=True)  # a full disk is no reason to let it run on
        run.worker.terminate(CANCEL_GRACE)
        await run.gone.wait()
        return self._job(id)

    async def retry(self, id: str) -> Job:
        """Queue a job again that has failed or was cancelled; it goes on from what it has left, where its kind can."""
        self.last_activity = time.monotonic()
        job = self._job(id)
        kind = self.kinds.get(job.kind)
        if kind is None:
            raise Conflict(f"there is no job '{job.kind}' any more", remedy=f"Ask for one of {', '.join(self.kinds)}")
        key = await asyncio.to_thread(content_key, job.kind, kind.request.model_validate(job.request))
        job = self._job(id)
        if job.state not in ("failed", "cancelled"):
            raise Conflict(f"job {id} is {job.state}", remedy="Only what has failed or was cancelled can be retried")
        same = self.store.by_key(job.kind, key)
        if same and same.active:
            raise Conflict(f"the same is {same.state} already", remedy=f"See job {same.id}")
        fresh = {"state": "queued", "started": None, "ended": None, "error": None, "result": None, "cancelling": False}
        # An error before anything was done may be that of a folder that is somebody else's: no going on there.
        again = job.again or job.progress is not None
        self.store.change(id, **fresh, key=key, attempt=job.attempt + 1, kills=0, again=again)
        self._told(id)
        self._dispatcher.go()
        return self._job(id)

    async def wait(self, id: str, seconds: float) -> Job:
        """Wait until a job has ended, or the time is over."""
        job = self._job(id)
        if job.active:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ends.setdefault(id, asyncio.Event()).wait(), seconds)
        return self._job(id)

    def subscribe(self) -> AbstractContextManager[Subscription]:
        """Listen to jobs that change: `await get()` gives the next, of each the latest, at most five times a second."""
        return self._updates.subscribe()

    def _lane(self, kind: str) -> str:
        return kind if kind in self.kinds and self.kinds[kind].warm else DEVICE

    def _prune(self) -> None:
        with contextlib.suppress(OutputError):  # a full disk: it can wait
            for id in self.store.prune():
                shutil.rmtree(self._dispatcher.folder(id), ignore_errors=True)

    def _told(self, id: str) -> None:
        self._updates.tell(id)
        job = self.store.get(id)
        if job and not job.active:
            self.last_activity = time.monotonic()
            if end := self._ends.pop(id, None):
                end.set()
            self._ended += 1
            if self._ended % PRUNE_EVERY == 0:
                asyncio.get_running_loop().call_soon(self._prune)

    def _job(self, id: str) -> Job:
        job = self.store.get(id)
        if job is None:
            raise no_job(id)
        return job
