"""Do one kind of work on a thread of its own, a bounded number of items behind."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

_log = logging.getLogger(__name__)
T = TypeVar("T")
_WAIT = 0.1


class Worker(Generic[T]):
    """Calls `work` with each item, in order; `put` waits while `depth` items wait. A context manager.

    An error of `work` is raised by the next `put`, or at the end of the context. When the context ends with an error, what
    waits is dropped; the item at work is finished first.
    """

    def __init__(self, work: Callable[[T], None], depth: int = 3) -> None:
        self._work = work
        self._box: queue.Queue[T | None] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="faceplate-write", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item."""
        self._put(item)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stop.set()
            self._thread.join()
            return
        try:
            self._put(None)
            while self._thread.is_alive():
                self._thread.join(_WAIT)
        except BaseException:
            self._stop.set()
            self._thread.join()
            raise
        if self._error is not None:
            raise self._error

    def _put(self, item: T | None) -> None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                return self._box.put(item, timeout=_WAIT)
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    item = self._box.get(timeout=_WAIT)
                except queue.Empty:
                    continue
                if item is None:
                    return
                self._work(item)
        except BaseException as e:  # raised where the items come from, unless something else is first
            _log.info("the thread has failed", exc_info=True)
            self._error = e
