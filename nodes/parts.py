"""Parts of a shot: the table of the files in its folder, with their meaning in Content Credentials and their clean-up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PartOfShot = Literal[
    "composite",
    "plate",
    "preview",
    "sheet",
    "patch",
    "matte",
    "overlay",
    "over",
    "whole",
    "fusion",
    "still",
    "render",
    "returned",
]


@dataclass(frozen=True, slots=True)
class ShotPart:
    """One part. meaning: in its Content Credentials. file: its name in the folder, None for none. frames: names of its files in a folder of its own,
    as a regular expression; empty for none. kept: whether its files are reused after an interrupted run.
    """

    meaning: str
    file: str | None = None
    frames: str = ""
    kept: bool = False


PARTS: dict[PartOfShot, ShotPart] = {
    "composite": ShotPart("the finished picture", "composite.mkv", r"composite\.\d+\.\w+"),
    "plate": ShotPart("a copy of the plate; no face was replaced in it", "plate.mkv"),
    "preview": ShotPart("plate and finished picture beside each other", "preview.mp4"),
    "sheet": ShotPart("some frames of plate and finished picture", "sheet.png"),
    "patch": ShotPart("the new face alone", None, r"patch\.\d+\.exr", kept=True),
    "matte": ShotPart("where the new face is", None, r"matte\.\d+\.exr", kept=True),
    "overlay": ShotPart("the new face as a host lays it over the plate", None, r"overlay\.\d+\.\w+"),
    "over": ShotPart("the new face as a compositor lays it over the plate", None, r"over\.\d+\.exr"),
    "whole": ShotPart("the new face alone, in a frame of the plate's size", None, r"whole\.\d+\.exr"),
    "fusion": ShotPart(
        "the new face and where it is, as Fusion reads them", None, r"index\.lua|\d+\.(?:patch|matte)\.png"
    ),
    "still": ShotPart("one finished frame"),
    "render": ShotPart("a finished picture, rendered in another program"),
    "returned": ShotPart("pictures that were cut out of the plate, put back as another program has left them"),
}
DOCUMENT = "shot.json"  # last in its place: with it, the folder is finished
_DOCUMENTS = (DOCUMENT, "report.html", "report.json", "faces.npz", "alignment.npz")
FOLDERS = tuple(name for name, part in PARTS.items() if part.frames)
FILES = {part.file: name for name, part in PARTS.items() if part.file}


def frame_file(folder: Path, part: PartOfShot, number: int, suffix: str = ".exr") -> Path:
    """Return the file of a frame, by the plate's own number, of a part that is a sequence."""
    return folder / part / f"{part}.{number:04d}{suffix}"


def is_ours(name: str) -> bool:
    """Tell whether a file of this name, relative to a shot's folder, is one that Faceplate writes there."""
    folder, _, file = name.rpartition("/")
    if not folder:
        return file in _DOCUMENTS or file in FILES or file.removesuffix(".c2pa") in ("composite", "plate")
    signed = rf"{folder}(?:\.\w+)?\.c2pa"
    return any(folder == part and re.fullmatch(f"{PARTS[part].frames}|{signed}", file) for part in FOLDERS)


def is_kept(name: str) -> bool:
    """Tell whether a file of this name is reused after an interrupted run."""
    folder, _, file = name.rpartition("/")
    return any(folder == part and PARTS[part].kept and re.fullmatch(PARTS[part].frames, file) for part in FOLDERS)
