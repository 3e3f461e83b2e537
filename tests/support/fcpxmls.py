"""FCPXML documents for tests, from the few words that differ."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Shot

NTSC = Fraction(24000, 1001)
HOUR = 86400  # frames of an hour of timecode at 24 or 23.976


def t(frames: float | Fraction, rate: Fraction | int = NTSC) -> str:
    """So many frames as a time of FCPXML."""
    time = Fraction(frames) / rate
    return f"{time.numerator}/{time.denominator}s"


def media(
    id: str = "m",
    start: int = HOUR,
    frames: int = 400,
    rate: Fraction | int = NTSC,
    src: str = "file:///a.mov",
    **more: str,
) -> str:
    """An asset and its format."""
    attributes = {"hasVideo": "1", "hasAudio": "0"} | more
    said = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return (
        f'<format id="{id}f" frameDuration="{t(1, rate)}"/>'
        f'<asset id="{id}" name="{id}" start="{t(start, rate)}" duration="{t(frames, rate)}" format="{id}f" {said}>'
        f'<media-rep kind="original-media" src="{src}"/></asset>'
    )


def clip(
    at: int,
    start: float | Fraction,
    count: int,
    inside: str = "",
    rate: Fraction | int = NTSC,
    own: Fraction | int | None = None,
    **more: str,
) -> str:
    """An asset-clip. start: in frames of `own`, by default of the sequence's rate."""
    attributes = {
        "ref": "m",
        "name": "A",
        "offset": t(at, rate),
        "start": t(start, own or rate),
        "duration": t(count, rate),
    } | more
    said = " ".join(f'{key}="{value}"' for key, value in attributes.items() if value)
    return f"<asset-clip {said}>{inside}</asset-clip>"


def document(
    spine: str,
    resources: str | None = None,
    rate: Fraction | int = NTSC,
    start: int = 0,
    version: str = "1.11",
    before: str = "",
) -> str:
    """A document with one project. start: of the sequence's timecode, in frames."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n<fcpxml version="{version}"><resources>'
        f'<format id="seq" frameDuration="{t(1, rate)}"/>{media(rate=rate) if resources is None else resources}</resources>'
        f'<library><event name="E"><project name="P"><sequence format="seq" tcStart="{t(start, rate)}" tcFormat="NDF">'
        f"{before}<spine>{spine}</spine></sequence></project></event></library></fcpxml>"
    )


def time_map(
    *points: tuple[Fraction | float, Fraction | float], rate: Fraction | int = NTSC, more: str = "", **attributes: str
) -> str:
    """A time map through points (time, value), in frames."""
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    eased = more or 'interp="smooth2"'
    inside = "".join(f'<timept time="{t(a, rate)}" value="{t(b, rate)}" {eased}/>' for a, b in points)
    return f"<timeMap{said}>{inside}</timeMap>"


def shots(folder: Path, text: str) -> list[Shot]:
    """The shots of a document."""
    path = folder / "edit.fcpxml"
    path.write_text(text, "utf-8")
    return find_shots(read_edit(path))


def shown(folder: Path, text: str) -> list[tuple[str, int, list[int]]]:
    """For each shot its id, its first frame of the edit, and its frames of the media."""
    return [(shot.id, shot.record[0], list(shot.frames)) for shot in shots(folder, text)]
