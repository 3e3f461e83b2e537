"""A running job: turns what its process reports into the job's state, progress and curve."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from host_bridge.engine.job import Job
from host_bridge.engine.keys import stamps
from host_bridge.engine.process import Event, JobProcess
from host_bridge.engine.queue import Queue
from host_bridge.jobs import Kind

MOST_MESSAGES, MOST_PICTURES, MOST_POINTS, LONGEST = 50, 20, 200, 500
RETRIES = 1
_WINDOW = 15.0  # seconds over which a rate is measured


class JobRun:
    """A job in its process. All is noted in the queue at once; the supervisor decides when it is written.

    log: its log, which every error names. gone: its process is done with it, and the device is free.
    """

    def __init__(self, job: Job, kind: Kind | None, process: JobProcess, queue: Queue, log: Path) -> None:
        self.id, self.process = job.id, process
        self.gone = asyncio.Event()
        self._kind, self._queue, self._rate, self._log = kind, queue, Rate(), log

    @property
    def job(self) -> Job:
        """The job as it is now."""
        return self._queue.get(self.id)

    @property
    def over(self) -> bool:
        """Whether the job has ended, or is queued again."""
        return self.job.state != "running"

    def take(self, event: Event) -> None:
        """Apply an event; one that comes after the job's end is ignored."""
        job, values = self.job, dict(event)
        if job.state != "running":
            return
        match values.pop("event"):
            case "progress":
                self._note(progress=self._rate.progress(**values))
            case "training":
                self._training(values)
            case "message":
                self._message(values["line"])
            case "preview":
                others = [name for name in job.pictures if name != values["name"]]
                self._note(preview=(job.preview or 0) + 1, pictures=[*others, values["name"]][-MOST_PICTURES:])
            case "finished":
                written = self._kind.request.model_validate(job.request).writes() if self._kind else []
                self._end("finished", result=values["result"], outputs=stamps(written))
            case "failed":
                self._end("failed", error=values)

    def died(self, status: int, stopping: bool) -> None:
        """Apply that the process has ended before the job. status: -N for signal N. stopping: the engine ends, and asked for it."""
        job = self.job
        if job.state != "running":
            return
        if job.cancelling:
            self._end("cancelled")
        elif stopping:
            self._wait_again()
        elif job.kills < RETRIES:
            self._message(f"Its process {_how(status)}; it is run once more.")
            self._wait_again(kills=job.kills + 1, attempt=job.attempt + 1)
        else:
            memory = status == -signal.SIGKILL  # the system's doing, mostly, when there is none left
            remedy = "Perhaps the memory was used up: close other programs, and retry it" if memory else "See its log"
            code = 128 - status if status < 0 else status or 1
            message = f"its process {_how(status)}, twice."
            self._end("failed", error={"message": message, "remedy": remedy, "exit_status": code})

    def _training(self, metrics: dict[str, Any]) -> None:
        progress = {"stage": "train", "done": metrics["step"], "total": metrics["of"]}
        curve = self.job.curve
        if metrics["loss"] is not None:
            curve = extended(curve, metrics["step"], metrics["loss"])
        rate = {"rate": metrics["rate"], "left": metrics["left"]}
        self._note(metrics=metrics, curve=curve, progress=progress | rate)

    def _message(self, line: str) -> None:
        self._note(messages=[*self.job.messages, line[:LONGEST]][-MOST_MESSAGES:])

    def _wait_again(self, **fields: Any) -> None:
        self._note(state="queued", again=True, started=None, **fields)

    def _end(self, state: str, **fields: Any) -> None:
        if self.job.cancelling:  # its user knows why it ended, whatever it said last
            state, fields = "cancelled", {}
        if state == "failed":
            fields["error"]["message"] += f" (log: {self._log})"
        self._note(state=state, ended=time.time(), cancelling=False, **fields)

    def _note(self, **fields: Any) -> None:
        self._queue.note(self.id, **fields)


class Rate:
    """The rate of a stage over the last seconds. clock: monotonic seconds, so that setting the time does no harm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage: str | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def progress(self, stage: str, done: int, total: int | None) -> dict[str, Any]:
        """The progress with its rate in units a second and the seconds left, None until they are known."""
        now = self._clock()
        if stage != self._stage or (self._seen and done < self._seen[-1][1]):
            self._stage = stage
            self._seen.clear()
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        if not self._seen or now - self._seen[-1][0] >= _WINDOW / 100:
            self._seen.append((now, done))
        (since, first), passed = self._seen[0], now - self._seen[0][0]
        rate = (done - first) / passed if passed > 0.2 and done > first and since < now else None
        left = None if rate is None or total is None else max(total - done, 0) / rate
        return {"stage": stage, "done": done, "total": total, "rate": _short(rate), "left": _short(left)}


def extended(curve: Sequence[tuple[float, float]], step: float, loss: float) -> list[tuple[float, float]]:
    """A curve with one more point where one is due: at most 200 points, thinned by half whenever there are more.

    A training that goes on from an earlier checkpoint takes back what came after it.
    """
    kept = [point for point in curve if point[0] < step]
    if len(kept) >= MOST_POINTS - 1:
        kept = kept[::2]
    # Points keep the distance that they have already; a short curve takes all.
    gap = min((b[0] - a[0] for a, b in pairwise(kept)), default=0.0) if len(kept) >= MOST_POINTS // 2 else 0.0
    if kept and step - kept[-1][0] < gap:
        return kept
    return [*kept, (step, loss)]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _how(status: int) -> str:
    """How a process has ended, in words."""
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
