"""A job as a command runs it: shown on stderr while it lasts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from pydantic import BaseModel

from host_bridge.cli.engine_link import refusals
from host_bridge.cli.progress import Bars, Lines, show_progress
from host_bridge.cli.training_view import LiveTraining, PlainTraining, show_training
from host_bridge.client import EngineError, EngineGone, connect
from host_bridge.jobs import KINDS, Request
from host_bridge.jobs.job import absolute
from host_bridge.reporting import Watch
from nodes.consent.project import find_project
from nodes.errors import FaceplateError
from trainer.watcher import Progress

_log = logging.getLogger(__name__)


class Shows(Protocol):
    """A watch that shows what it is told, from when it is entered."""

    def __enter__(self) -> Watch: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def perform(
    kind: str, request: Request, *, engine: bool = False, shown: Callable[[str], Shows] | None = None
) -> dict[str, Any]:
    """Run a job, in this process or in the engine, and return its result; raises FaceplateError. shown: makes what shows it, of its title."""
    shown = shown or Shown
    if engine:
        return _in_engine(kind, request, shown)
    with shown(request.title) as watch:
        return KINDS[kind].perform(request, watch)


class Shown(Watch):
    """Stages as bars, a training as its own view; whichever the job tells of."""

    def __init__(self, title: str) -> None:
        self._title, self._stack = title, ExitStack()
        self._stages: Bars | Lines | None = None
        self._view: LiveTraining | PlainTraining | None = None

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Show the stage."""
        if self._stages is None:
            self._stages = show_progress()
            self._stack.enter_context(self._stages)
        self._stages(stage, done, total)

    def training(self, now: Progress) -> None:
        """Show how it stands."""
        self._training().progress(now)

    def message(self, line: str) -> None:
        """Show it above the rest."""
        self._training().message(line)

    def preview(self, picture: Path) -> None:
        """Name it, if a training made it: what else is written is listed at the end."""
        if self._view is not None:
            self._view.preview(picture)

    def _training(self) -> LiveTraining | PlainTraining:
        if self._view is None:
            self._view = show_training(self._title)
            self._stack.enter_context(self._view)
        return self._view

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _in_engine(kind: str, request: Request, shown: Callable[[str], Shows]) -> dict[str, Any]:
    """Run a job in the engine, shown like one that runs here, and return its result; raises FaceplateError as the job would here.

    Ctrl-C cancels it. An engine that dies meanwhile is started again, and goes on with the job.
    """
    with refusals(), shown(request.title) as watch:
        client, told, mirror = connect(), _from_anywhere(request, _project(request)), _Mirror(watch, request.writes())
        id = None
        try:
            id = client.submit(kind, told)["id"]
            _log.info("job %s of the engine; faceplate jobs logs %s prints its log", id, id)
            while True:
                try:
                    job = client.wait(id, told=mirror.show)
                    break
                except EngineGone:
                    client = connect()
        except KeyboardInterrupt:
            with suppress(EngineError):  # it may have ended just now
                # The engine may have it though its answer has not come: asked for the same, it says which job that is.
                id = id or client.submit(kind, told)["id"]
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
    """Tells a watch what a job in the engine tells, whatever of it is new. folders: where the job's pictures are."""

    def __init__(self, watch: Watch, folders: list[Path]) -> None:
        self._watch, self._folders = watch, folders
        self._messages: list[str] = []
        self._metrics: dict[str, Any] | None = None
        self._progress: dict[str, Any] | None = None
        self._preview: str | None = None

    def show(self, job: dict[str, Any]) -> None:
        """Pass on what has changed since the last time."""
        for line in _fresh(self._messages, job["messages"]):
            self._watch.message(line)
        if job["metrics"] and job["metrics"] != self._metrics:
            self._watch.training(_training(job["metrics"]))
        elif job["progress"] and job["progress"] != self._progress and not job["metrics"]:
            now = job["progress"]
            self._watch.progress(now["stage"], now["done"], now["total"])
        if job["preview"] and job["preview"] != self._preview:
            made = [path for folder in self._folders if (path := absolute(folder) / job["pictures"][-1]).is_file()]
            for path in made[:1]:
                self._watch.preview(path)
        self._messages, self._metrics, self._progress = job["messages"], job["metrics"], job["progress"]
        self._preview = job["preview"]


def _fresh(before: list[str], now: list[str]) -> list[str]:
    """What has come since, to a list that forgets its oldest."""
    most = min(len(before), len(now))
    return next(now[n:] for n in range(most, -1, -1) if before[len(before) - n :] == now[:n])


def _training(told: dict[str, Any]) -> Progress:
    """What JSON cannot hold, a loss that is not a number, is null there."""
    values: dict[str, Any] = {field.name: told.get(field.name) for field in fields(Progress)}
    loss = values["loss"]
    values |= {"loss": float("nan") if loss is None else loss, "losses": told.get("losses") or {}}
    return Progress(**values)


def _project(request: Request) -> Path | None:
    """The project whose records of consent count for whoever asks here."""
    return find_project(*request.writes(), *request.reads(), Path.cwd())


def _from_anywhere(request: BaseModel, project: Path | None = None) -> dict[str, Any]:
    """A request as JSON, with its paths as another process understands them. project: where it says none."""
    told = request.model_dump(mode="json")
    for name in type(request).model_fields:
        value = getattr(request, name)
        if isinstance(value, BaseModel):
            told[name] = _from_anywhere(value, project)
        elif name == "project" and value is None and project is not None:
            told[name] = str(project)
        elif isinstance(value, tuple | list) and any(isinstance(one, Path) for one in value):
            told[name] = [str(absolute(one)) for one in value]
        elif isinstance(value, Path) or (name == "subject" and ("/" in str(value) or "\\" in str(value))):
            told[name] = str(absolute(Path(value)))
    return told
