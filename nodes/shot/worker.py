"""Worker: processes items on a thread of its own, at most a few behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore
from types import TracebackType
from typing import Generic, Self, TypeVar

_log = logging.getLogger(__name__)
T = TypeVar("T")
_WAIT = 0.1  # seconds between checks for Ctrl-C and errors


class Worker(Generic[T]):
    """A thread that calls `work` with each item, in order; `put` blocks while `depth` items wait. A context manager.

    An error of `work` is raised by the next `put`, or at the end of the context. When the context ends with an error, waiting
    items are dropped; the current one is finished first.
    """

    def __init__(self, work: Callable[[T], None], depth: int = 3) -> None:
        self._work, self._room = work, BoundedSemaphore(depth + 1)  # the waiting ones, and the current one
        self._pool = ThreadPoolExecutor(1, "faceplate-write")
        self._last: Future[None] | None = None
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Hand over an item."""
        while not self._room.acquire(timeout=_WAIT):
            self._check()
        self._check()
        self._last = self._pool.submit(self._do, item)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._last is not None and wait([self._last], _WAIT).not_done:
                self._check()
        finally:
            self._pool.shutdown(cancel_futures=True)
        if kind is None:
            self._check()

    def _do(self, item: T) -> None:
        try:
            if self._error is None:
                self._work(item)
        except BaseException as e:  # raised in the producer, unless it fails first
            _log.info("the writer has failed", exc_info=True)
            self._error = e
        finally:
            self._room.release()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
