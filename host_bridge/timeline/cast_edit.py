"""An edit with its cast: its shots, where their media are, and its performers' footage."""

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

PLATE = "plate"  # default name of a target


@dataclass(frozen=True, slots=True)
class CastEdit:
    """An edit, its shots, and the footage of each source performer."""

    edit: Edit
    shots: list[Shot]
    performers: dict[str, tuple[Path, ...]]


def open_edit(
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
) -> CastEdit:
    """Read an edit and find its shots.

    cast: a cast file. performers: footage by name; overrides the cast file's. source: the performer put into every shot, in
    place of `target`. handles: frames on either side of each shot. rate: of an EDL, in frames per second. unpacked: folder for a bundle's media. Raises FaceplateError.
    """
    read = read_edit(edit, media_roots=[media_root(text) for text in media_roots], unpacked=unpacked, rate=rate)
    check_rate(sequence_rate(read.timeline), rate, edit)
    file = Cast() if cast is None else read_cast(cast)
    if source is not None:
        file = replace(file, everywhere=(Casting(target or PLATE, source, said="the command line"),))
    footage = file.performers | {name: tuple(footage) for name, footage in (performers or {}).items()}
    return CastEdit(read, [_noted(shot, footage) for shot in find_shots(read, cast=file, handles=handles)], footage)


def _noted(shot: Shot, performers: Mapping[str, Sequence[Path]]) -> Shot:
    """Add a note to a shot whose source and target are the same performer."""

    def shows(name: str) -> bool:
        plate, footage = shot.media.path, performers.get(name, ())
        return plate is not None and any(plate == place or place in plate.parents for place in footage)

    same = [c.source for c in shot.cast if c.source == c.target or shows(c.source)]
    notes = [f"source and target are the same performer: '{name}' would be put onto their own face" for name in same]
    return replace(shot, notes=tuple(dict.fromkeys((*shot.notes, *notes)))) if same else shot


def check_rate(rate: Fraction, expected: Fraction | None, edit: Path) -> None:
    """Raise SchemaError unless an edit, or the run of an EDL, has the rate that the user gave, if any. Rates are frames per second."""
    if expected is None or expected == rate:
        return
    what, remedy = "runs", "Leave --rate out: it is for an EDL, which does not say its rate"
    if edit.suffix.lower() == EDL:
        again = command_line("faceplate", "timeline", "run", str(edit), "--rate", f"{float(expected):.5g}")
        what, remedy = "was run", f"Leave --rate out, or run it again: {again}"
    what = f"{what} at {float(rate):.5g} frames per second, and --rate says {float(expected):.5g}"
    raise SchemaError(what, file=edit, remedy=remedy)


def absolute_root(text: str) -> str:
    """Return `FROM=TO`, or a folder, with the folder as an absolute path."""
    root = media_root(text)
    return str(root.folder) if root.before is None else f"{root.before}={root.folder}"


def read_sources(options: Iterable[str], target: str | None = None) -> tuple[dict[str, list[Path]], str | None]:
    """Read `FOOTAGE` and `NAME=FOOTAGE`; return footage by name, and the name of the performer put into every shot, if any.

    Footage without a name is of one person, named after the first clip and put into every shot. target: the performer replaced in every shot; a
    single named performer is then put there.
    """
    footage: dict[str, list[Path]] = {}
    everywhere: str | None = None
    for text in options:
        name, equals, path = text.partition("=")
        if not equals or Path(text).expanduser().exists():
            everywhere = everywhere or Path(text).stem.split(".")[0]
            name, path = everywhere, text
        footage.setdefault(name.strip(), []).append(Path(path).expanduser().absolute())
    if everywhere is None and target is not None and len(footage) == 1:
        everywhere = next(iter(footage))
    return footage, everywhere
