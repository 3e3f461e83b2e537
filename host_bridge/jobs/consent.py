"""The jobs `performers` and `credentials`: look up consent records, and verify that signed results are unchanged."""

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
    """A planned shot: its plate, the source's footage, Swap's parameters. near: a path in the project, such as the host's own file.

    train: whether a model will be trained on the two clips.
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
    """A project's performers. project: None without a project."""

    schema_: str = Field(default="faceplate.performers/1", alias="schema")
    project: Path | None = None
    production: str | None = None
    performers: tuple[PerformerSummary, ...] = ()

    @classmethod
    def of(cls, book: ConsentBook | None, **more: Any) -> Self:
        """List the performers in a project's records. more: further fields."""
        if book is None:
            return cls(**more)
        performers = tuple(book.summary(performer) for performer in book.performers.values())
        return cls(project=book.project, production=book.opened.production, performers=performers, **more)


class CastResult(PerformersResult, CastStanding):
    """A project's performers, and the state of consent for a shot."""


def look_up_performers(request: PerformersRequest, watch: Watch) -> CastResult | PerformersResult:
    """List a project's performers, and check the consent for a shot."""
    from nodes.cache import digest_file, digest_footage

    swap, paths = request.swap, [path and absolute(path) for path in (request.plate, request.source)]
    plate, source = (Clip(path, digest_footage(path)) if path else None for path in paths)
    book = project_book(swap, request.near, *paths)
    if plate is None:
        return PerformersResult.of(book)
    file = absolute(swap.model) if swap.model and swap.method is Method.MODEL and not request.train else None
    faces = of_swap(plate, source, Clip(file, digest_file(file)) if file else None, swap)
    state = standing(faces, book, train=request.train)
    return CastResult.of(book, **{name: getattr(state, name) for name in CastStanding.model_fields})


class CredentialsRequest(Request):
    """Results to verify. path: a picture, a movie, a .c2pa, a sequence as name.%04d.exr, or a shot's folder. trust: further trust roots, PEM."""

    path: Path
    trust: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """The name of the verified file or folder."""
        return f"credentials of {self.path.name}"


class CredentialsResult(Result):
    """Verdicts, with an exit status for scripts. The job succeeds even if a result is not intact."""

    schema_: str = Field(default="faceplate.credentials/1", alias="schema")
    status: int
    said: str
    files: list[Verdict]

    @classmethod
    def of(cls, verdicts: list[Verdict]) -> Self:
        """Summarise verdicts."""
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
    """Yield symbolic links beside or below a verified path; they may lead to files not named in the request."""
    beside = path.is_file() and path.suffix.lower() != ".c2pa"  # beside a file, only manifests and documents matter
    folders = [path, *(f for f in path.iterdir() if f.is_dir())] if path.is_dir() else [path.parent]
    for file in (file for folder in folders if folder.is_dir() for file in folder.iterdir()):
        if file.is_symlink() and (not beside or file.suffix.lower() in (".c2pa", ".json")):
            yield file
