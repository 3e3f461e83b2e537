"""One job as it runs: what its process tells becomes what the queue knows of it."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

from host_bridge.engine.queue.keys import stamps
from host_bridge.engine.queue.rate import Rate, extended
from host_bridge.engine.queue.record import Job
from host_bridge.engine.queue.store import Store
from host_bridge.engine.queue.worker import Event, Worker
from host_bridge.jobs import Kind

MOST_MESSAGES, MOST_PICTURES, LONGEST = 50, 20, 500
RETRIES = 1


class Run:
    """A job in a worker. Everything is noted in the store at once; when it is written is the supervisor's affair.

    log: its log, which every error names. over: the job has ended. gone: its process has let go of it, and the device is free.
    """

    def __init__(self, job: Job, kind: Kind | None, worker: Worker, store: Store, log: Path) -> None:
        self.id, self.worker = job.id, worker
        self.gone = asyncio.Event()
        self._kind, self._store, self._rate, self._log = kind, store, Rate(), log

    @property
    def job(self) -> Job:
        """The job as it is now."""
        job = self._store.get(self.id)
        assert job is not None, "a job that runs is never forgotten"
        return job

    @property
    def over(self) -> bool:
        """Whether the job has ended, or waits again."""
        return self.job.state != "running"

    def event(self, event: Event) -> None:
        """Take note of an event; what comes after the job's end is late, and means nothing."""
        if self.over:
            return
        told = dict(event)
        match told.pop("event"):
            case "progress":
                self._note(progress=self._rate.progress(**told))
            case "training":
                self._training(told)
            case "message":
                self._message(told["line"])
            case "preview":
                others = [name for name in self.job.pictures if name != told["name"]]
                self._note(preview=(self.job.preview or 0) + 1, pictures=[*others, told["name"]][-MOST_PICTURES:])
            case "finished":
                self._finished(told["result"])
            case "failed":
                self._end("failed", error=told)

    def died(self, status: int, stopping: bool) -> None:
        """Take note that the process has ended before the job has. status: -N for signal N. stopping: the engine is, and meant it to."""
        job = self.job
        if self.over:
            return
        if job.cancelling:
            self._end("cancelled")
        elif stopping:
            self._wait_again()
        elif job.kills < RETRIES:
            self._message(f"Its process {_how(status)}; it is run once more.")
            self._wait_again(kills=job.kills + 1, attempt=job.attempt + 1)
        else:
            memory = status == -9  # the system's doing, mostly, when there is none left
            remedy = "Perhaps the memory was used up: close other programs, and retry it" if memory else "See its log"
            told, code = f"its process {_how(status)}, twice.", 128 - status if status < 0 else status or 1
            self._end("failed", error={"message": told, "remedy": remedy, "exit_status": code})

    def _finished(self, result: Any) -> None:
        written = self._kind.request.model_validate(self.job.request).writes() if self._kind else []
        self._end("finished", result=result, outputs=stamps(written))

    def _training(self, told: dict[str, Any]) -> None:
        progress = {"stage": "train", "done": told["step"], "total": told["of"]}
        curve = self.job.curve
        if told["loss"] is not None:
            curve = extended(curve, told["step"], told["loss"])
        self._note(metrics=told, curve=curve, progress={**progress, "rate": told["rate"], "left": told["left"]})

    def _message(self, line: str) -> None:
        self._note(messages=[*self.job.messages, line[:LONGEST]][-MOST_MESSAGES:])

    def _wait_again(self, **fields: Any) -> None:
        self._note(state="queued", again=True, started=None, **fields)

    def _end(self, state: str, **fields: Any) -> None:
        if self.job.cancelling:  # in good order perhaps, and perhaps an error on the way: its user knows why it ended
            state, fields = "cancelled", {}
        if state == "failed":
            fields["error"]["message"] += f" (log: {self._log})"
        self._note(state=state, ended=time.time(), cancelling=False, **fields)

    def _note(self, **fields: Any) -> None:
        self._store.note(self.id, **fields)


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
