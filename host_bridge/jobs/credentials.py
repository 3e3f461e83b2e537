"""Whether results were changed since they were signed: what a host shows of them, and what `faceplate credentials` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch


class CredentialsRequest(Request):
    """path: a picture, a movie, a .c2pa, a sequence as name.%04d.exr, or a shot's folder. trust: roots to trust as well, PEM."""

    path: Path
    trust: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """What is verified."""
        return f"credentials of {self.path.name}"


def run(request: CredentialsRequest, watch: Watch) -> dict[str, Any]:
    """Look; the result is `faceplate.credentials/1`, as `faceplate credentials verify --json` prints it. What is not intact is no failure."""
    from nodes.credentials.identity import load_trust
    from nodes.credentials.verify import as_document, verify

    path = absolute(request.path)
    for link in _links(path):
        watch.may_read(link)
    return as_document(verify(path, load_trust(request.trust), watch.progress))


def _links(path: Path) -> Iterator[Path]:
    """Links beside or below what is verified that would be followed, perhaps to files that the request does not name."""
    if path.is_dir():
        yield from (file for folder in (path, *path.iterdir()) if folder.is_dir() for file in _in(folder))
    elif path.is_file() and path.suffix.lower() != ".c2pa":
        yield from (file for file in _in(path.parent) if file.suffix.lower() in (".c2pa", ".json"))
    elif path.parent.is_dir():
        yield from _in(path.parent)


def _in(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.is_symlink())


KIND = Kind(
    "credentials",
    "Verify that results were not changed since they were signed.",
    CredentialsRequest,
    run,
    priority=100,
    warm=True,
    looks=True,
)
