"""Errors that a user meets, each with the exit status that it ends the process with."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nodes.text import sentence


@dataclass(frozen=True, slots=True)
class Action:
    """A remedy that a host can offer as a button.

    allow_folder: `folder`. record_consent: `performer` (name or id, or empty), `use`, `project` (or empty).
    """

    name: Literal["allow_folder", "record_consent"]
    arguments: dict[str, str] = field(default_factory=dict)


class FaceplateError(Exception):
    """A problem that the user can mend: what happened, in which file and frame, and what to do about it.

    action: the remedy as a button of a host. names_log: its text already names the log.
    """

    exit_status = 1
    names_log = False

    def __init__(
        self,
        what: str,
        *,
        file: Path | str | None = None,
        frame: int | None = None,
        remedy: str | None = None,
        action: Action | None = None,
    ) -> None:
        self.what, self.file, self.frame, self.remedy, self.action = what, file, frame, remedy, action
        super().__init__(self.plain + (f" {sentence(remedy)}" if remedy else ""))

    @property
    def plain(self) -> str:
        """Where and what, a sentence without the remedy."""
        where = "" if self.file is None else f"{self.file}"
        where += "" if self.frame is None else f"{', ' if where else ''}frame {self.frame}"
        return (f"{where}: " if where else "") + sentence(self.what)


class UsageError(FaceplateError):
    """An option whose value cannot be understood."""

    exit_status = 2


class FootageError(FaceplateError):
    """Footage that is missing, damaged, or of a kind that cannot be used."""

    exit_status = 3


class NoFaceError(FaceplateError):
    """Footage in which the requested face cannot be found."""

    exit_status = 4


class ModelError(FaceplateError):
    """Weights or a model file that is missing, corrupt, or made for something else."""

    exit_status = 5


class OutputError(FaceplateError):
    """A result that cannot be written: disk full, folder read-only, name taken."""

    exit_status = 6


class SchemaError(FaceplateError):
    """A document that is damaged, or written by a newer Faceplate."""

    exit_status = 7


class MissingDependencyError(FaceplateError):
    """An optional backend that is not installed."""

    exit_status = 8


class GeometryError(FaceplateError):
    """Points that determine no transform: NaN, all in one place, on one line in three dimensions."""

    exit_status = 9


class ConsentError(FaceplateError):
    """A face that may not be used so: without a consent on record, or with faults in the records."""

    exit_status = 10


class CredentialsError(FaceplateError):
    """Content Credentials that cannot be made: a certificate or key that is missing, does not fit, or others can read."""

    exit_status = 11


_OUTPUT_REMEDIES = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another output folder with --out"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another output folder with --out"),
    errno.EROFS: ("the disk is read-only", "Choose another output folder with --out"),
    errno.EACCES: ("permission denied", "Choose a folder that you may write to with --out"),
    errno.EPERM: ("permission denied", "Choose a folder that you may write to with --out"),
    errno.ENOTDIR: ("a file stands where a folder is needed", "Choose another output folder with --out"),
    errno.EFBIG: ("the file is too large for this disk", "Choose another output folder with --out"),
}


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into an :class:`OutputError` with a remedy."""
    try:
        yield
    except OSError as e:
        what, remedy = _OUTPUT_REMEDIES.get(e.errno or 0, (e.strerror or str(e), "Check the output folder"))
        raise OutputError(f"cannot be written: {what}", file=path, remedy=remedy) from e
