"""Changes of a running job, from the events of its process and from its end."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from host_bridge.engine.job import Job
from host_bridge.engine.process import Event

MOST_MESSAGES, MOST_PICTURES, MOST_POINTS, LONGEST = 50, 20, 200, 500
RETRIES = 1
_WINDOW = 15.0  # seconds over which a rate is measured


def after_event(job: Job, event: Event, rate: Rate, log: Path) -> dict[str, Any]:
    """Return the fields of a running job that an event changes. log: its log, for error messages."""
    values = dict(event)
    match values.pop("event"):
        case "progress":
            return {"progress": rate.progress(**values)}
        case "training":
            progress = {"stage": "train", "done": values["step"], "total": values["of"]}
            progress |= {"rate": values["rate"], "left": values["left"]}
            curve = job.curve if values["loss"] is None else extended(job.curve, values["step"], values["loss"])
            return {"metrics": values, "curve": curve, "progress": progress}
        case "message":
            return {"messages": _messages(job, values["line"])}
        case "preview":
            pictures = [name for name in job.pictures if name != values["name"]]
            return {"preview": (job.preview or 0) + 1, "pictures": [*pictures, values["name"]][-MOST_PICTURES:]}
        case "finished":
            return _end(job, log, "finished", result=values["result"])
        case "failed":
            return _end(job, log, "failed", error=values)
    return {}  # "stopped": the end of its process follows


def after_death(job: Job, status: int, stopping: bool, log: Path) -> dict[str, Any]:
    """Return the fields that change when the process ends before its job. status: -N for signal N. stopping: the engine is ending it."""
    again = {"state": "queued", "again": True, "started": None}
    if job.cancelling:
        return _end(job, log, "cancelled")
    if stopping:
        return again
    if job.kills < RETRIES:
        messages = _messages(job, f"Its process {_how(status)}; it is run once more.")
        return {**again, "messages": messages, "kills": job.kills + 1, "attempt": job.attempt + 1}
    memory = status == -signal.SIGKILL  # mostly the system, out of memory
    error = {
        "message": f"its process {_how(status)}, twice.",
        "remedy": "Perhaps the memory was used up: close other programs, and retry it" if memory else "See its log",
        "exit_status": 128 - status if status < 0 else status or 1,
    }
    return _end(job, log, "failed", error=error)


def _end(job: Job, log: Path, state: str, **fields: Any) -> dict[str, Any]:
    if job.cancelling:  # overrides its last event: its user has cancelled it
        state, fields = "cancelled", {}
    if state == "failed":
        fields["error"]["message"] += f" (log: {log})"
    return {"state": state, "ended": time.time(), "cancelling": False, **fields}


def _messages(job: Job, line: str) -> list[str]:
    return [*job.messages, line[:LONGEST]][-MOST_MESSAGES:]


class Rate:
    """Rate of a stage over the last seconds. clock: monotonic seconds, so that setting the time does no harm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage: str | None = None
        self._samples: deque[tuple[float, int]] = deque()

    def progress(self, stage: str, done: int, total: int | None) -> dict[str, Any]:
        """Return the progress with its rate in units a second and the remaining seconds, None until they are known."""
        now = self._clock()
        if stage != self._stage or (self._samples and done < self._samples[-1][1]):
            self._stage = stage
            self._samples.clear()
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()
        if not self._samples or now - self._samples[-1][0] >= _WINDOW / 100:
            self._samples.append((now, done))
        (since, first), elapsed = self._samples[0], now - self._samples[0][0]
        rate = (done - first) / elapsed if elapsed > 0.2 and done > first and since < now else None
        left = None if rate is None or total is None else max(total - done, 0) / rate
        return {"stage": stage, "done": done, "total": total, "rate": _short(rate), "left": _short(left)}


def extended(curve: Sequence[tuple[float, float]], step: float, loss: float) -> list[tuple[float, float]]:
    """Add a point to a curve where one is due: at most 200 points, thinned by half whenever there are more.

    A step before the last points removes them: the training has resumed from a checkpoint.
    """
    points = [point for point in curve if point[0] < step]
    if len(points) >= MOST_POINTS - 1:
        points = points[::2]
    # Points keep their distance; a short curve takes all.
    gap = min((b[0] - a[0] for a, b in pairwise(points)), default=0.0) if len(points) >= MOST_POINTS // 2 else 0.0
    if points and step - points[-1][0] < gap:
        return points
    return [*points, (step, loss)]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _how(status: int) -> str:
    if status == 128 + signal.SIGTERM:
        return "was asked to end (SIGTERM)"
    if status >= 0:
        return f"ended without a word (exit status {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    crashed = name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP")
    return f"crashed ({name})" if crashed else f"was killed ({name})"
