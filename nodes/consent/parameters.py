"""What a user says of consent where faces are used: by whose records, and for what. Options and forms are generated from it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Asked(Protocol):
    """Whatever says by which records consent is asked for."""

    @property
    def project(self) -> Path | None:
        """Folder of the project; None for the one that is found."""

    @property
    def production(self) -> str | None:
        """What it is for; None for the project's own production."""


class AskedOfTwo(Asked, Protocol):
    """The same of a pair, by names or ids; None for whom the footage or the model shows, or the only one who may be."""

    @property
    def target_performer(self) -> str | None:
        """Who is replaced."""

    @property
    def source_performer(self) -> str | None:
        """Whose face is put in."""
