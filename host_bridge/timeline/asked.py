"""An edit with all that is said of it outside: where its media are, who is put in, and from which footage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from host_bridge.timeline.read.edit import EDL, Edit, read_edit
from host_bridge.timeline.read.places import media_root
from host_bridge.timeline.shots.cast import Cast, read_cast
from host_bridge.timeline.shots.find import find_shots, sequence_rate
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.errors import SchemaError
from nodes.text import command_line

PLATE = "plate"  # what a target is called whom nobody has named


@dataclass(frozen=True, slots=True)
class Asked:
    """An edit, its shots, and the footage of each performer who is put in."""

    edit: Edit
    shots: list[Shot]
    performers: dict[str, tuple[Path, ...]]


def ask(
    edit: Path,
    *,
    cast: Path | None = None,
    performers: Mapping[str, Sequence[Path]] | None = None,
    source: str | None = None,
    target: str | None = None,
    media_roots: Sequence[str] = (),
    handles: int = 8,
    rate: Fraction | None = None,
    unpacked: Path | None = None,
) -> Asked:
    """Read an edit and find its shots.

    cast: a cast file. performers: footage by name, which comes before the cast file's. source: who is put into every shot, in
    place of `target`. handles: frames on either side of each shot. rate: of an EDL, in frames per second. unpacked: where a bundle's media go. Raises FaceplateError.
    """
    read = read_edit(edit, media_roots=[media_root(text) for text in media_roots], unpacked=unpacked, rate=rate)
    check_rate(sequence_rate(read.timeline), rate, edit)
    said = Cast() if cast is None else read_cast(cast)
    if source is not None:
        said = replace(said, everywhere=(Casting(target or PLATE, source, said="the command line"),))
    known = said.performers | {name: tuple(footage) for name, footage in (performers or {}).items()}
    shots = [_onto_oneself(shot, known) for shot in find_shots(read, cast=said, handles=handles)]
    return Asked(read, shots, known)


def _onto_oneself(shot: Shot, performers: Mapping[str, Sequence[Path]]) -> Shot:
    """Say at a shot that the performer who is put in is the one whom its plate shows."""
    plate = shot.media.path
    same = [
        casting.source
        for casting in shot.cast
        if casting.source == casting.target
        or any(
            plate is not None and (plate == place or place in plate.parents)
            for place in performers.get(casting.source, ())
        )
    ]
    told = (f"source and target are the same performer: '{name}' would be put onto their own face" for name in same)
    return replace(shot, notes=tuple(dict.fromkeys((*shot.notes, *told)))) if same else shot


def check_rate(rate: Fraction, told: Fraction | None, edit: Path) -> None:
    """Raise SchemaError where a rate was told and an edit, or the run of an EDL, has another. Rates are frames per second."""
    if told is None or told == rate:
        return
    what, remedy = "runs", "Leave --rate out: it is for an EDL, which does not say its rate"
    if edit.suffix.lower() == EDL:
        again = command_line("faceplate", "timeline", "run", str(edit), "--rate", f"{float(told):.5g}")
        what, remedy = "was run", f"Leave --rate out, or run it again: {again}"
    raise SchemaError(
        f"{what} at {float(rate):.5g} frames per second, and --rate says {float(told):.5g}", file=edit, remedy=remedy
    )


def absolute_root(text: str) -> str:
    """`FROM=TO`, or a folder, with the folder as every process understands it."""
    root = media_root(text)
    return str(root.folder) if root.before is None else f"{root.before}={root.folder}"


def sources(told: Iterable[str], target: str | None = None) -> tuple[dict[str, list[Path]], str | None]:
    """Read `FOOTAGE` and `NAME=FOOTAGE`; returns footage by name, and the name of whom no name was given: they are put into every shot.

    Footage without a name is of one person, called like the first clip. target: who is replaced in every shot; where that is said, the
    only performer who is named is put there.
    """
    found: dict[str, list[Path]] = {}
    unnamed: str | None = None
    for text in told:
        name, equals, footage = text.partition("=")
        if not equals or Path(text).expanduser().exists():
            unnamed = unnamed or Path(text).stem.split(".")[0]
            name, footage = unnamed, text
        found.setdefault(name.strip(), []).append(Path(footage).expanduser().absolute())
    if unnamed is None and target is not None and len(found) == 1:
        unnamed = next(iter(found))
    return found, unnamed
