"""What a user says of consent where faces are used: by whose records, for what, and who is who. Options and forms are generated from it."""

from __future__ import annotations

from pathlib import Path

from nodes.spec import Parameters, parameter


class ConsentParameters(Parameters):
    """By which records of consent."""

    project: Path | None = parameter(
        None,
        help="Folder of the project whose records of consent count; by default the nearest one that holds the result, else the footage, else where you are.",
    )
    production: str | None = parameter(
        None, help="The production that this is for; by default the one that the project was made for."
    )


class CastParameters(ConsentParameters):
    """Who is replaced by whom, and by which records of consent."""

    target_performer: str | None = parameter(
        None,
        help="Performer in the plate, by name or id; not needed where the footage is registered, or only one may be.",
    )
    source_performer: str | None = parameter(
        None,
        help="Performer whose face is put in, by name or id; not needed where the footage is registered, the model says it, or only one may be.",
    )
