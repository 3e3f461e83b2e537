"""The cast of an edit: replacements from the command line, a cast file, or the edit's own markers and metadata.

The first of these with a casting for a shot applies, and the others are ignored:
the command line; the cast file; markers on the clip; the clip's metadata; markers on its surroundings, from the inside out
(tracks, compound clips, the timeline). Within one, a later casting of the same target replaces an earlier one.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from host_bridge.timeline.shots.shot import Casting
from nodes.errors import FaceplateError

_LARGEST = 1 << 20  # bytes of a cast file
_KINDS = ".toml, .yaml, .json or .csv"
_COLUMNS = {"shot", "target", "source", "tracks", "footage"}
_FACE = re.compile(r"\bFACE\b(?=[\s:]+\w+\s*=)", re.IGNORECASE)
_PAIR = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|“([^”]*)”|([^\s"'“”;]+))""")
_NOTES = ("Note", "comment")  # Resolve's, and that of Final Cut's XML
_LONGEST = 10_000  # characters of a note


@dataclass(frozen=True, slots=True)
class Cast:
    """The cast from outside the edit.

    rules: of a cast file, a shot's id or name with * and ? (case does not matter), and its casting. performers: their footage, by name.
    everywhere: castings from the command line.
    """

    rules: tuple[tuple[str, Casting], ...] = ()
    performers: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    everywhere: tuple[Casting, ...] = ()

    def of(self, id: str, name: str, edit: Iterable[Sequence[Casting]] = ()) -> tuple[Casting, ...]:
        """Return the castings of a shot. edit: its castings in the edit, the nearest first."""
        names = id.lower(), name.lower()
        matching = [casting for rule, casting in self.rules if any(fnmatchcase(text, rule.lower()) for text in names)]
        castings = next((level for level in (self.everywhere, matching, *edit) if level), ())
        return tuple({casting.target: casting for casting in castings}.values())


# --- cast files ---


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _track_numbers(tracks: Any) -> tuple[int, ...]:
    """Read `1`, `1,2`, `1 2` or a list of numbers; raises ValueError."""
    parts = re.split(r"[\s,;+]+", tracks.strip()) if isinstance(tracks, str) else tracks
    parts = [parts] if isinstance(parts, int) else parts or []
    try:
        numbers = tuple(int(str(part)) for part in parts if str(part))
    except (ValueError, TypeError) as e:
        raise ValueError(f"'{str(tracks)[:40]}' is not a track") from e
    if any(n < 0 for n in numbers):
        raise ValueError("a track is 0 or more")
    return numbers


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _CastPerformer(_Strict):
    footage: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()


class _CastLine(_Strict):
    shot: str = Field(default="*", min_length=1)
    target: str = Field(min_length=1)
    source: str = Field(min_length=1)
    tracks: Annotated[tuple[int, ...], BeforeValidator(_track_numbers)] = ()


class _CastFile(_Strict):
    performers: dict[str, _CastPerformer] = {}
    cast: tuple[_CastLine, ...] = ()


def read_cast(path: Path | str) -> Cast:
    """Read a cast file; raises FaceplateError that names the invalid line or entry.

    TOML, YAML and JSON: `performers` (name: {footage: […]}) and `cast` (a list of shot, target, source, tracks). CSV: the
    columns shot, target, source, tracks, footage (the source's). Footage is named from the file's own folder, with * and ?.
    """
    path = Path(path).absolute()
    remedy = f"A cast file is {_KINDS}; docs/timeline.md shows each"
    try:
        if path.stat().st_size > _LARGEST:
            raise FaceplateError("is too large for a cast file", file=path, remedy=remedy)
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise FaceplateError(f"cannot be read: {getattr(e, 'strerror', None) or 'it is not text'}", file=path) from e
    try:
        file = _CastFile.model_validate(_parsed(path, text))
    except ValidationError as e:
        error = e.errors()[0]
        place = ".".join(str(part) for part in error["loc"]) or "the whole"
        raise FaceplateError(f"{place}: {error['msg']}", file=path, remedy=remedy) from e
    except (ValueError, RecursionError) as e:
        raise FaceplateError(f"is damaged: {' '.join(str(e).split())[:200]}", file=path, remedy=remedy) from e
    rules = [
        (line.shot, Casting(line.target, line.source, line.tracks, f"{path.name}: {line.shot}")) for line in file.cast
    ]
    performers = {name: _footage(performer.footage, path.parent) for name, performer in file.performers.items()}
    return Cast(tuple(rules), performers)


def _footage(names: Iterable[str], folder: Path) -> tuple[Path, ...]:
    """Find clips, sequences and folders by name, with * and ?; raises FaceplateError for a missing one."""
    footage: list[Path] = []
    for name in names:
        place = Path(name).expanduser()
        base, pattern = (Path(place.anchor), str(place.relative_to(place.anchor))) if place.anchor else (folder, name)
        if any(c in pattern for c in "*?[") and not (base / pattern).exists():
            matches = sorted(base.glob(pattern))
            if not matches:
                raise FaceplateError("there is no such footage", file=base / pattern, remedy="Check the cast file")
            footage += matches
        else:
            footage.append(base / pattern)
    return tuple(footage)


def _parsed(path: Path, text: str) -> Any:
    kind = path.suffix.lower()
    if kind == ".toml":
        return tomllib.loads(text)
    if kind == ".json":
        return json.loads(text)
    if kind in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(text) or {}
        except yaml.YAMLError as e:
            raise ValueError(str(e)) from e
    if kind == ".csv":
        return _from_csv(text)
    raise ValueError(f"a cast file is {_KINDS}")


def _from_csv(text: str) -> dict[str, Any]:
    lines: list[dict[str, str]] = []
    performers: dict[str, dict[str, list[str]]] = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text), skipinitialspace=True), 2):
        if None in row:
            raise ValueError(f"line {number}: unknown column more fields than columns")
        cells = {(k or "").strip().lower(): (v or "").strip() for k, v in row.items()}
        if unknown := set(cells) - _COLUMNS:
            raise ValueError(f"line {number}: unknown column {sorted(unknown)}")
        footage = [part.strip() for part in cells.pop("footage", "").split(";") if part.strip()]
        if footage:
            performers.setdefault(cells.get("source", ""), {"footage": []})["footage"] += footage
        lines.append({key: cell for key, cell in cells.items() if cell})
    return {"cast": lines, "performers": performers}


# --- markers and metadata of the edit ---


def face_notes(text: str) -> list[dict[str, str]]:
    """Find every `FACE target=… source=… [track=…]` in a note; names with blanks stand in quotes."""
    text = text[:_LONGEST]
    notes = list(_FACE.finditer(text))
    ends = [*(m.start() for m in notes[1:]), len(text)]
    return [
        {m[1].lower(): next(g for g in m.groups()[1:] if g is not None) for m in _PAIR.finditer(text, note.end(), end)}
        for note, end in zip(notes, ends, strict=False)
    ]


def in_marker(marker: Any) -> tuple[list[Casting], list[str]]:
    """Return the castings in a marker's name, comment, or note in its metadata; and notes on unclear ones."""
    texts = [marker.name, getattr(marker, "comment", "")]
    for block in marker.metadata.values():
        texts += [block.get(key) for key in _NOTES] if hasattr(block, "get") else []
    texts = [text for text in dict.fromkeys(t for t in texts if isinstance(t, str)) if text]
    return _castings((note for text in texts for note in face_notes(text)), "marker")


def in_metadata(clip: Any) -> tuple[list[Casting], list[str]]:
    """Return the castings in the block `faceplate` of a clip's metadata (target, source and tracks, or a list `cast` of them); and notes on unclear ones."""
    block = clip.metadata.get("faceplate")
    if not hasattr(block, "get"):
        return [], []
    cast = block.get("cast", [block] if "target" in block or "source" in block else [])
    if not hasattr(cast, "__iter__") or isinstance(cast, str) or not all(hasattr(c, "get") for c in cast):
        return [], ["metadata: faceplate.cast is no list of castings"]
    return _castings(cast, "metadata")


def people_named(timeline: Any) -> frozenset[str]:
    """Return all names of performers in an edit's own markers and metadata."""
    items = [timeline.tracks, *timeline.tracks.find_children()]
    levels = [in_marker(marker)[0] for item in items for marker in getattr(item, "markers", ())]
    levels += [in_metadata(item)[0] for item in items]
    return frozenset(name for castings in levels for c in castings for name in (c.target, c.source))


def _castings(notes: Iterable[Any], origin: str) -> tuple[list[Casting], list[str]]:
    castings, unclear = [], []
    for note in notes:
        target, source = (str(note.get(key) or "").strip() for key in ("target", "source"))
        tracks = note.get("track") if note.get("tracks") is None else note.get("tracks")
        try:
            if not target or not source:
                raise ValueError(f"says no {'target' if not target else 'source'}")
            castings.append(Casting(target, source, _track_numbers(tracks), origin))
        except ValueError as e:
            unclear.append(f"{origin}: {e}")
    return castings, unclear
