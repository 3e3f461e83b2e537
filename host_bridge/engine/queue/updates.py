"""Who listens to the jobs hears of each as it is now, not of every step on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from host_bridge.engine.queue.record import Job

EVERY = 0.2
_MOST = 2000


class Subscription:
    """What one listener has still to hear: of each job the latest."""

    def __init__(self) -> None:
        self._latest: dict[str, Job] = {}
        self._some = asyncio.Event()

    async def get(self) -> Job:
        """Wait for the next job that has changed."""
        await self._some.wait()
        job = self._latest.pop(next(iter(self._latest)))
        if not self._latest:
            self._some.clear()
        return job

    def put(self, job: Job) -> None:
        """Replace what was to be said of this job."""
        self._latest[job.id] = job
        if len(self._latest) > _MOST:  # nobody takes them
            del self._latest[next(iter(self._latest))]
        self._some.set()


class Updates:
    """Tells all listeners of jobs that change, of each at most five times a second. get: looks a job up."""

    def __init__(self, get: Callable[[str], Job | None]) -> None:
        self._get = get
        self._listeners: set[Subscription] = set()
        self._told: dict[str, float] = {}
        self._due: dict[str, asyncio.TimerHandle] = {}

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen for as long as the block lasts."""
        new = Subscription()
        self._listeners.add(new)
        try:
            yield new
        finally:
            self._listeners.discard(new)

    def tell(self, id: str) -> None:
        """Say that a job has changed, soon if not now."""
        if not self._listeners or id in self._due:
            return
        loop = asyncio.get_running_loop()
        wait = self._told.get(id, float("-inf")) + EVERY - loop.time()
        if wait <= 0:
            self._send(id)
        else:
            self._due[id] = loop.call_later(wait, self._send, id)

    def close(self) -> None:
        """Say no more."""
        for timer in self._due.values():
            timer.cancel()
        self._due.clear()

    def _send(self, id: str) -> None:
        self._due.pop(id, None)
        self._told[id] = asyncio.get_running_loop().time()
        while len(self._told) > _MOST:
            del self._told[next(iter(self._told))]
        if job := self._get(id):
            for listener in self._listeners:
                listener.put(job)
