"""What several commands of `faceplate timeline` are told alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

MediaRoot = Annotated[
    tuple[str, ...],
    Parameter(
        negative_iterable=(),
        help="Where the edit's media are now, FROM=TO or a folder to search; can be repeated.",
    ),
]
Rate = Annotated[
    str | None,
    Parameter(
        help="Frames per second of an EDL, such as 25 or 23.976; by default its media say it. Other edits say their own."
    ),
]
RunFolder = Annotated[Path | None, Parameter(help="Folder of the run; by default EDIT.faceplate beside the edit.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Cutting:
    """What is said of an edit beside itself, for its shots to be found and done."""

    source: Annotated[
        tuple[str, ...],
        Parameter(
            negative_iterable=(),
            help="FOOTAGE of the performer who is put into every shot; or NAME=FOOTAGE, of one whom the cast file or the edit names. Can be repeated.",
        ),
    ] = ()
    target: Annotated[
        str | None,
        Parameter(help="What the performer in the plate is called, who is replaced in every shot."),
    ] = None
    cast: Annotated[
        Path | None,
        Parameter(help="Cast file, .toml, .yaml, .json or .csv: who is replaced by whom in which shots."),
    ] = None
    out: RunFolder = None
    media_root: MediaRoot = ()
    rate: Rate = None
    handles: Annotated[
        int,
        Parameter(help="Frames that are rendered before and behind each shot, where its media have them."),
    ] = 8


CUTTING = Cutting()
