"""What a job is: a request that can be checked and sent, work that tells how far it is, and a result that JSON can hold."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from host_bridge.reporting import Watch
from trainer.watcher import Progress

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


class _LoggedWatch(Watch):
    """Passes on what a job tells, and logs it: its stages with their times, its messages, a training once in a while."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._stage = ""
        self._since = self._next = 0.0

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Log when a stage is new."""
        if stage != self._stage:
            self.end_stage()
            self._stage, self._since = stage, time.monotonic()
        self._watch.progress(stage, done, total)

    def end_stage(self) -> None:
        """Log how long the last stage took."""
        if self._stage:
            _log.info("%s: %.2f s", self._stage, time.monotonic() - self._since)

    def training(self, now: Progress) -> None:
        """Log now and then how it stands."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            _log.info("training: %s", now)
        self._watch.training(now)

    def message(self, line: str) -> None:
        """Log it."""
        _log.info("%s", line)
        self._watch.message(line)

    def preview(self, picture: Path) -> None:
        """Pass it on."""
        self._watch.preview(picture)

    def may_read(self, path: Path) -> None:
        """Ask on."""
        self._watch.may_read(path)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    run: does it; raises FaceplateError. Its result is what `--json` prints. priority: of those waiting the highest goes first. again: the
    request that goes on with what an earlier run of it left. warm: it is short, and wants a process in which all is loaded.
    looks: at files that its request does not name, so that an earlier result is no answer; it finds out itself what is done already.
    """

    name: str
    help: str
    request: type[Request]
    run: Callable[[Any, Watch], dict[str, Any]]
    priority: int
    again: Callable[[Any], Request] | None = None
    warm: bool = False
    looks: bool = False

    def perform(self, request: Request, watch: Watch) -> dict[str, Any]:
        """Run it, and log what was asked, its stages and how long they took."""
        began, logged = time.monotonic(), _LoggedWatch(watch)
        _log.info("%s: %s", self.name, request.model_dump(mode="json", exclude_defaults=True))
        try:
            return self.run(request, logged)
        finally:
            logged.end_stage()
            _log.info("%s: %.2f s in all", self.name, time.monotonic() - began)


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
