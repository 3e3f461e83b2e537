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

_EVERY = 60.0  # seconds between two lines about a training
_log = logging.getLogger(__name__)


class Request(BaseModel):
    """What is asked for. Relative paths are of the folder of the process that runs it.

    written: fields that name what the job writes; all other paths in a request are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    written: ClassVar[frozenset[str]] = frozenset({"out"})

    @property
    def title(self) -> str:
        """A few words for a list of jobs."""
        raise NotImplementedError

    def reads(self) -> list[Path]:
        """Every path that the job reads."""
        return [path for name, path in _paths(self) if name not in self.written]

    def writes(self) -> list[Path]:
        """Every path that the job writes to, and all below it."""
        return [path for name, path in _paths(self) if name in self.written]


class Result(BaseModel):
    """What came of a job, as `--json` prints it and the engine keeps it."""

    model_config = ConfigDict(serialize_by_alias=True)


class _LoggedWatch(Watch):
    """Passes on what a job reports, and logs it: its stages with their times, its messages, a training once a minute."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch)
        self._stage = ""
        self._since = self._next = 0.0

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Log when a stage is new."""
        if stage != self._stage:
            self.end_stage()
            self._stage, self._since = stage, time.monotonic()
        super().progress(stage, done, total)

    def end_stage(self) -> None:
        """Log how long the last stage took."""
        if self._stage:
            _log.info("%s: %.2f s", self._stage, time.monotonic() - self._since)

    def training(self, now: TrainingProgress) -> None:
        """Log now and then how it stands."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            _log.info("training: %s", now)
        super().training(now)

    def message(self, line: str) -> None:
        """Log it."""
        _log.info("%s", line)
        super().message(line)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job. Its function's annotations name the request and the result, and the docstring's first line is its help.

    run: does the work; raises FaceplateError. priority: of the queued jobs the highest runs first. again: the request that continues an earlier
    run. warm: short, and run in a process in which all is loaded. uncacheable: reads files that its request does not name, so it is never
    answered from an earlier result; it finds out itself what is done.
    """

    name: str
    run: Callable[[Any, Watch], Any]
    priority: int
    again: Callable[[Any], Request] | None = None
    warm: bool = False
    uncacheable: bool = False

    @property
    def help(self) -> str:
        """One sentence on what the job does."""
        return (self.run.__doc__ or "").partition("\n")[0]

    @property
    def request(self) -> type[Request]:
        """The model of its requests."""
        request: type[Request] = get_type_hints(self.run)["request"]
        return request

    def perform(self, request: Request, watch: Watch) -> Any:
        """Run it, and log the request, its stages and how long they took."""
        began, logged = time.monotonic(), _LoggedWatch(watch)
        _log.info("%s: %s", self.name, request.model_dump(mode="json", exclude_defaults=True))
        try:
            return self.run(request, logged)
        finally:
            logged.end_stage()
            _log.info("%s: %.2f s in all", self.name, time.monotonic() - began)

    def read_result(self, document: Any) -> Any:
        """A result from the JSON that the engine keeps."""
        return TypeAdapter(get_type_hints(self.run)["return"]).validate_python(document)


def as_document(value: Any) -> Any:
    """A value or a result as JSON has it: a number that is not finite is null, and what JSON does not know is text."""
    document = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return to_jsonable_python(document, inf_nan_mode="null", fallback=str)


def absolute(path: Path) -> Path:
    """A path as every process understands it; the pattern of a sequence stays one."""
    return path.expanduser().absolute()


def _paths(model: BaseModel) -> Iterator[tuple[str, Path]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, BaseModel):
                yield from _paths(one)
            elif isinstance(one, Path):
                yield name, one
            elif name == "subject" and ("/" in str(one) or "\\" in str(one)):  # else the name of one
                yield name, Path(one)
