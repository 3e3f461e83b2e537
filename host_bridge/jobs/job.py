"""The parts of a job: a request that can be checked and sent, a function that does the work, and a result that JSON can hold."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import to_jsonable_python

from host_bridge.reporting import Watch
from trainer.watcher import TrainingProgress

_LOG_INTERVAL = 60.0  # seconds between two lines about a training
_log = logging.getLogger(__name__)


class Request(BaseModel):
    """Parameters of a job. Relative paths count from the working directory of the process that runs it.

    written: fields that hold output paths; all other paths are inputs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    written: ClassVar[frozenset[str]] = frozenset({"out"})

    @property
    def title(self) -> str:
        """Short title for lists of jobs."""
        raise NotImplementedError

    def reads(self) -> list[Path]:
        """List the paths that the job reads."""
        return [path for name, path in _paths(self) if name not in self.written]

    def writes(self) -> list[Path]:
        """List the paths that the job writes to, each with all below it."""
        return [path for name, path in _paths(self) if name in self.written]


class Result(BaseModel):
    """Result of a job, as `--json` prints it and the engine stores it."""

    model_config = ConfigDict(serialize_by_alias=True)


class _LoggedWatch(Watch):
    """Watch that forwards and logs the reports of a job: stages with durations, messages, a training once a minute."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch)
        self._stage = ""
        self._since = self._next = 0.0

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Log the duration of the last stage when a new one begins."""
        if stage != self._stage:
            self.end_stage()
            self._stage, self._since = stage, time.monotonic()
        super().progress(stage, done, total)

    def end_stage(self) -> None:
        """Log the duration of the last stage."""
        if self._stage:
            _log.info("%s: %.2f s", self._stage, time.monotonic() - self._since)

    def training(self, now: TrainingProgress) -> None:
        """Log the progress at most once a minute."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOG_INTERVAL
            _log.info("training: %s", now)
        super().training(now)

    def message(self, line: str) -> None:
        """Log a message."""
        _log.info("%s", line)
        super().message(line)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job. Its function's annotations name the request and the result; the docstring's first line is its help.

    run: does the work; raises FaceplateError. priority: the queued job with the highest runs first. again: the request that continues an earlier
    run. warm: short, and run in a process that stays loaded. uncacheable: reads files not named in the request; never
    answered from an earlier result, but the job itself may skip finished work.
    """

    name: str
    run: Callable[[Any, Watch], Any]
    priority: int
    again: Callable[[Any], Request] | None = None
    warm: bool = False
    uncacheable: bool = False

    @property
    def help(self) -> str:
        """One sentence about the job."""
        return (self.run.__doc__ or "").partition("\n")[0]

    @property
    def request(self) -> type[Request]:
        """The class of its requests."""
        request: type[Request] = get_type_hints(self.run)["request"]
        return request

    def perform(self, request: Request, watch: Watch) -> Any:
        """Run the job; log its request, its stages and their durations."""
        began, logged = time.monotonic(), _LoggedWatch(watch)
        _log.info("%s: %s", self.name, request.model_dump(mode="json", exclude_defaults=True))
        try:
            return self.run(request, logged)
        finally:
            logged.end_stage()
            _log.info("%s: %.2f s in all", self.name, time.monotonic() - began)

    def read_result(self, document: Any) -> Any:
        """Read a result from the JSON that the engine stores."""
        return TypeAdapter(get_type_hints(self.run)["return"]).validate_python(document)


def as_document(value: Any) -> Any:
    """Convert a value or a result to JSON types: non-finite numbers become null, unknown types text."""
    document = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return to_jsonable_python(document, inf_nan_mode="null", fallback=str)


def absolute(path: Path) -> Path:
    """Make a path absolute, with `~` expanded; the pattern of a sequence stays a pattern."""
    return path.expanduser().absolute()


def _paths(model: BaseModel) -> Iterator[tuple[str, Path]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, BaseModel):
                yield from _paths(item)
            elif isinstance(item, Path):
                yield name, item
            elif name == "subject" and ("/" in str(item) or "\\" in str(item)):  # otherwise the name of a subject
                yield name, Path(item)
