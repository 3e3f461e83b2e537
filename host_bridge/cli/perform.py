"""Jobs run by commands: in this process or in the engine, with progress on stderr."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host_bridge.client import EngineError, EngineGone, connect
from nodes.errors import FaceplateError

if TYPE_CHECKING:  # commands that only speak to the engine load no jobs
    from pydantic import BaseModel

    from host_bridge.jobs import Request
    from host_bridge.reporting import Watch

_log = logging.getLogger(__name__)


def perform(kind: str, request: Request, *, engine: bool = False, quiet: bool = False) -> Any:
    """Run a job, in this process or in the engine, and return its result; raises FaceplateError and EngineError. quiet: show no line for each stage."""
    from host_bridge.cli.progress import show_progress
    from host_bridge.jobs import KINDS

    with show_progress(request.title, quiet=quiet) as watch:
        if engine:
            return KINDS[kind].read_result(_in_engine(kind, request, watch))
        return KINDS[kind].perform(request, watch)


def _in_engine(kind: str, request: Request, watch: Watch) -> dict[str, Any]:
    """Run a job in the engine, with the same progress and errors as in this process, and return its result; raises EngineError too.

    Ctrl-C cancels it. An engine that dies meanwhile is started again, and goes on with the job.
    """
    from nodes.consent.records import find_project

    client, mirror = connect(), _Mirror(watch, request.writes())
    # The records of consent are those of the project of this command.
    document = _from_anywhere(request, find_project(*request.writes(), *request.reads(), Path.cwd()))
    id = None
    try:
        id = client.submit(kind, document)["id"]
        _log.info("job %s of the engine; faceplate jobs logs %s prints its log", id, id)
        while True:
            try:
                job = client.wait(id, on_poll=mirror.show)
                break
            except EngineGone:
                client = connect()
    except KeyboardInterrupt:
        with suppress(EngineError):  # it may have ended just now
            # The engine may have the job already: submitting it again returns its id.
            id = id or client.submit(kind, document)["id"]
            client.cancel(id)
            client.wait(id, 10)
        raise
    if job["state"] == "finished":
        return dict(job["result"])
    if job["state"] == "cancelled":
        raise FaceplateError("the job was cancelled", remedy=f"Queue it again: faceplate jobs retry {job['id']}")
    failure = FaceplateError(job["error"]["message"], remedy=job["error"].get("remedy"))
    failure.exit_status, failure.names_log = job["error"]["exit_status"], True
    raise failure


class _Mirror:
    """Forwards changes of a job in the engine to a watch. folders: of the job's pictures."""

    def __init__(self, watch: Watch, folders: list[Path]) -> None:
        self._watch, self._folders = watch, folders
        self._before: dict[str, Any] = {"messages": []}

    def show(self, job: dict[str, Any]) -> None:
        """Forward the changes since the last call."""
        from trainer.watcher import TrainingProgress

        before, self._before = self._before, job
        for line in _new_lines(before["messages"], job["messages"]):
            self._watch.message(line)
        if job["metrics"]:
            if job["metrics"] != before.get("metrics"):
                loss = job["metrics"]["loss"]  # null for one that is not a number
                self._watch.training(TrainingProgress(**job["metrics"] | {"loss": math.nan if loss is None else loss}))
        elif job["progress"] and job["progress"] != before.get("progress"):
            self._watch.progress(*(job["progress"][name] for name in ("stage", "done", "total")))
        if job["preview"] and job["preview"] != before.get("preview"):
            pictures = (_absolute(folder) / job["pictures"][-1] for folder in self._folders)
            for picture in [p for p in pictures if p.is_file()][:1]:
                self._watch.preview(picture)


def _new_lines(before: list[str], now: list[str]) -> list[str]:
    """Find the new lines of a list that drops its oldest."""
    most = min(len(before), len(now))
    return next(now[n:] for n in range(most, -1, -1) if before[len(before) - n :] == now[:n])


def _from_anywhere(request: BaseModel, project: Path | None) -> dict[str, Any]:
    """Convert a request to JSON with absolute paths. project: where the request has none."""
    from pydantic import BaseModel

    document = request.model_dump(mode="json")
    for name, value in request:
        if isinstance(value, BaseModel):
            document[name] = _from_anywhere(value, project)
        elif name == "project" and value is None and project is not None:
            document[name] = str(project)
        elif isinstance(value, tuple | list) and any(isinstance(item, Path) for item in value):
            document[name] = [str(_absolute(item)) for item in value]
        elif isinstance(value, Path) or (name == "subject" and ("/" in str(value) or "\\" in str(value))):
            document[name] = str(_absolute(Path(value)))
    return document


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
