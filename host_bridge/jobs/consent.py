"""Say who may be used for what, and whether results were changed since they were signed: the jobs `performers` and `credentials`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from host_bridge.jobs.job import Request, Result, absolute
from host_bridge.reporting import Watch
from nodes.consent.book import ConsentBook, PerformerSummary
from nodes.consent.gate import CastStanding, Clip, of_swap, project_book, standing
from nodes.credentials.verdict import Verdict, exit_status, in_words
from nodes.definitions import Method, SwapParameters


class PerformersRequest(Request):
    """A shot that is to be made: its plate, the source's footage, Swap's parameters. near: a place in the project, such as the host's own file.

    train: a model is to be trained on the two.
    """

    plate: Path | None = None
    source: Path | None = None
    near: Path | None = None
    train: bool = False
    swap: SwapParameters = SwapParameters()

    @property
    def title(self) -> str:
        """The plate's name."""
        return "performers" if self.plate is None else f"performers of {self.plate.name}"


class PerformersResult(Result):
    """A project's performers; `project` is None where there is none."""

    schema_: str = Field(default="faceplate.performers/1", alias="schema")
    project: Path | None = None
    production: str | None = None
    performers: tuple[PerformerSummary, ...] = ()

    @classmethod
    def of(cls, book: ConsentBook | None, **more: Any) -> Self:
        """Those of a project's records. more: further fields."""
        if book is None:
            return cls(**more)
        performers = tuple(book.summary(performer) for performer in book.performers.values())
        return cls(project=book.project, production=book.opened.production, performers=performers, **more)


class CastResult(PerformersResult, CastStanding):
    """A project's performers, and how consent stands for a shot."""


def look_up_performers(request: PerformersRequest, watch: Watch) -> CastResult | PerformersResult:
    """Say who may be used for what, by the records of consent."""
    from nodes.cache import digest_file, digest_footage

    swap, paths = request.swap, [path and absolute(path) for path in (request.plate, request.source)]
    plate, source = (Clip(path, digest_footage(path)) if path else None for path in paths)
    book = project_book(swap, request.near, *paths)
    if plate is None:
        return PerformersResult.of(book)
    file = absolute(swap.model) if swap.model and swap.method is Method.MODEL and not request.train else None
    wanted = of_swap(plate, source, Clip(file, digest_file(file)) if file else None, swap)
    stands = standing(wanted, book, train=request.train)
    return CastResult.of(book, **{name: getattr(stands, name) for name in CastStanding.model_fields})


class CredentialsRequest(Request):
    """path: a picture, a movie, a .c2pa, a sequence as name.%04d.exr, or a shot's folder. trust: roots to trust as well, PEM."""

    path: Path
    trust: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """What is verified."""
        return f"credentials of {self.path.name}"


class CredentialsResult(Result):
    """Verdicts, with their status for scripts. What is not intact is no failure."""

    schema_: str = Field(default="faceplate.credentials/1", alias="schema")
    status: int
    said: str
    files: list[Verdict]

    @classmethod
    def of(cls, verdicts: list[Verdict]) -> Self:
        """All together."""
        return cls(status=exit_status(verdicts), said=in_words(verdicts), files=verdicts)


def verify_credentials(request: CredentialsRequest, watch: Watch) -> CredentialsResult:
    """Verify that results were not changed since they were signed."""
    from nodes.credentials.identity import load_trust
    from nodes.credentials.verify import verify

    path = absolute(request.path)
    for link in _links(path):
        watch.may_read(link)
    return CredentialsResult.of(verify(path, load_trust(request.trust), watch.progress))


def _links(path: Path) -> Iterator[Path]:
    """Links beside or below what is verified that would be followed, perhaps to files that the request does not name."""
    beside = path.is_file() and path.suffix.lower() != ".c2pa"  # of a file, manifests and documents alone
    folders = [path, *(f for f in path.iterdir() if f.is_dir())] if path.is_dir() else [path.parent]
    for file in (file for folder in folders if folder.is_dir() for file in folder.iterdir()):
        if file.is_symlink() and (not beside or file.suffix.lower() in (".c2pa", ".json")):
            yield file
