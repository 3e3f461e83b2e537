"""Who is replaced by whom: the command line's word, a cast file, or the edit's own markers and metadata.

One rule: the first of these that says anything of a shot is what holds for it, and the others are not asked:
the command line; the cast file; markers on the clip; the clip's metadata; markers on what is around it, from the inside out
(tracks, compound clips, the timeline). Within one, a later word for the same target replaces an earlier one.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from host_bridge.timeline.shots.said import Unclear, track_numbers
from host_bridge.timeline.shots.shot import Casting
from nodes.errors import FaceplateError

_LARGEST = 1 << 20
_KINDS = ".toml, .yaml, .json or .csv"


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of a cast file. match: a shot's id or name, with * and ?; case does not matter."""

    match: str
    casting: Casting

    def fits(self, id: str, name: str) -> bool:
        """Whether it is about a shot."""
        return fits(self.match, id, name)


@dataclass(frozen=True, slots=True)
class Cast:
    """What is said outside of the edit. performers: their footage, by name. everywhere: the command line's word."""

    rules: tuple[Rule, ...] = ()
    performers: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    everywhere: tuple[Casting, ...] = ()

    def of(self, id: str, name: str, edit: Iterable[Sequence[Casting]] = ()) -> tuple[Casting, ...]:
        """Return what holds for a shot. edit: what the edit says of it, the nearest first."""
        ruled = [rule.casting for rule in self.rules if rule.fits(id, name)]
        said = next((level for level in (self.everywhere, ruled, *edit) if level), ())
        return tuple({casting.target: casting for casting in said}.values())


def fits(pattern: str, id: str, name: str) -> bool:
    """Tell whether a shot's id or name is like a pattern with * and ?; case does not matter."""
    return any(fnmatchcase(text.lower(), pattern.lower()) for text in (id, name))


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _tracks(value: Any) -> Any:
    try:
        return track_numbers(value, "tracks")
    except Unclear as e:
        raise ValueError(str(e)) from e


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Performer(_Part):
    footage: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()


class _Line(_Part):
    shot: str = Field(default="*", min_length=1)
    target: str = Field(min_length=1)
    source: str = Field(min_length=1)
    tracks: Annotated[tuple[int, ...], BeforeValidator(_tracks)] = ()


class _File(_Part):
    performers: dict[str, _Performer] = {}
    cast: tuple[_Line, ...] = ()


def read_cast(path: Path | str) -> Cast:
    """Read a cast file; raises FaceplateError that names the line or the entry that is wrong.

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
        found = _File.model_validate(_parsed(path, text))
    except ValidationError as e:
        told = e.errors()[0]
        place = ".".join(str(part) for part in told["loc"]) or "the whole"
        raise FaceplateError(f"{place}: {told['msg']}", file=path, remedy=remedy) from e
    except (ValueError, RecursionError) as e:
        raise FaceplateError(f"is damaged: {' '.join(str(e).split())[:200]}", file=path, remedy=remedy) from e
    rules = tuple(
        Rule(line.shot, Casting(line.target, line.source, line.tracks, f"{path.name}: {line.shot}"))
        for line in found.cast
    )
    performers = {name: performer_footage(told.footage, path.parent) for name, told in found.performers.items()}
    return Cast(rules, performers)


def performer_footage(names: Iterable[str], folder: Path) -> tuple[Path, ...]:
    """Clips, sequences and folders by name from a folder, with * and ?; raises FaceplateError for one that is not there."""
    found: list[Path] = []
    for name in names:
        place = Path(name).expanduser()
        base, pattern = (Path(place.anchor), str(place.relative_to(place.anchor))) if place.anchor else (folder, name)
        if any(c in pattern for c in "*?[") and not (base / pattern).exists():
            matches = sorted(base.glob(pattern))
            if not matches:
                raise FaceplateError("there is no such footage", file=base / pattern, remedy="Check the cast file")
            found += matches
        else:
            found.append(base / pattern)
    return tuple(found)


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
    rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    known = {"shot", "target", "source", "tracks", "footage"}
    lines: list[dict[str, Any]] = []
    performers: dict[str, dict[str, list[str]]] = {}
    for number, row in enumerate(rows, 2):
        told = {(k or "").strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(v, str | None)}
        if unknown := set(told) - known or (None in row):
            what = sorted(unknown) if isinstance(unknown, set) else "more fields than columns"
            raise ValueError(f"line {number}: unknown column {what}")
        footage = [part.strip() for part in told.pop("footage", "").split(";") if part.strip()]
        if footage:
            performers.setdefault(told.get("source", ""), {"footage": []})["footage"] += footage
        lines.append({k: v for k, v in told.items() if v})
    return {"cast": lines, "performers": performers}
