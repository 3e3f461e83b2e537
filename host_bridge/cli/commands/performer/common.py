"""What the commands of `faceplate performer` share: the project they are about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cyclopts import App

from nodes.consent import clock
from nodes.consent.book import Book
from nodes.consent.check import current_book
from nodes.consent.project import find_project, how_to_begin
from nodes.errors import ConsentError

performer = App(name="performer", help_format="plaintext")


def digests(clips: Sequence[Path]) -> list[tuple[str, str]]:
    """Digest and name of each clip."""
    if not clips:
        return []
    from nodes.cache import digest_footage

    return [(digest_footage(clip.expanduser()), clip.name) for clip in clips]


def the_project(told: Path | None) -> Path:
    """The project that is told, or that holds the folder we are in; raises ConsentError where there is none."""
    found = find_project(Path.cwd(), told=told)
    if found is None:
        raise ConsentError(
            "there is no project here: no consent is recorded",
            file=Path.cwd(),
            remedy=f"Record one: {how_to_begin()}; or name the project with --project",
        )
    return found


def the_book(told: Path | None) -> Book:
    """What that project says; raises ConsentError where its records cannot be relied on."""
    return current_book(the_project(told), clock.now())
