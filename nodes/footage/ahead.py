"""Run an iterator ahead of its consumer, on a thread of its own, a bounded number of items early."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

_log = logging.getLogger(__name__)
T = TypeVar("T")


class _End:
    """What the thread sends last: the error that ended it, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def run_ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """Yield the items of an iterator that is advanced on another thread, at most `depth` (>= 1) items early.

    An error of the iterator is raised in the consumer, after the items before it. Closing the generator stops the thread
    and closes the iterator.
    """
    done = threading.Event()
    box: queue.Queue[T | _End] = queue.Queue(maxsize=max(1, depth))

    def put(item: T | _End) -> None:
        while not done.is_set():
            try:
                box.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if done.is_set():
                    break
        except BaseException as e:  # handed to the consumer, whatever it is
            _log.info("the thread has failed", exc_info=True)
            error = e
        finally:
            if isinstance(items, Generator):
                items.close()
            put(_End(error))

    thread = threading.Thread(target=work, name="faceplate-decode", daemon=True)
    thread.start()
    try:
        while True:
            item = box.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        done.set()
        while not box.empty():
            box.get_nowait()
        thread.join()
