"""What a user says of consent where faces are used: by whose records, and for what. Options and forms are generated from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from nodes.spec import Parameters, parameter


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


def project_parameter() -> Any:
    """The parameter of whatever asks for consent."""
    return parameter(
        None,
        help="Folder of the project whose records of consent count; by default the nearest one around the result, else around the footage, else where you are.",
    )


def production_parameter() -> Any:
    """The parameter of whatever asks for consent."""
    return parameter(None, help="The production that this is for; by default the one that the project was made for.")


class ConsentParameters(Parameters):
    """By which records of consent."""

    project: Path | None = project_parameter()
    production: str | None = production_parameter()


NOTHING_SAID = ConsentParameters()
