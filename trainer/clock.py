"""How long a training has lasted, over all its resumes."""

from __future__ import annotations

import time


class Clock:
    """Counts on from the seconds of earlier runs, once it is started."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before, self._started = seconds, 0.0

    def start(self) -> None:
        """Count from now on."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds trained, in this run and those before it."""
        return self._before + (time.monotonic() - self._started if self._started else 0.0)


SHARE = 0.05  # of the time that what comes due may take


class Every:
    """Comes due each `seconds`, first after that time or, with `at_once`, immediately; less often when it takes long."""

    def __init__(self, seconds: float, *, at_once: bool = False) -> None:
        self._seconds, self._began = seconds, 0.0
        self._next = 0.0 if at_once else time.monotonic() + seconds

    @property
    def due(self) -> bool:
        """Whether it has come due; if so, the next time is counted from now."""
        if (now := time.monotonic()) < self._next:
            return False
        self._began, self._next = now, now + self._seconds
        return True

    def done(self) -> None:
        """Say that what came due has been done: the next time waits until that is a small part of the whole."""
        now = time.monotonic()
        self._next = max(self._began + self._seconds, now + (now - self._began) / SHARE)
