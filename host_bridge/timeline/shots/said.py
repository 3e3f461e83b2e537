"""What an edit itself says of who is replaced by whom: markers that begin with FACE, and our block of a clip's metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from host_bridge.timeline.shots.shot import Casting

_FACE = re.compile(r"\bFACE\b(?=[\s:]+\w+\s*=)", re.IGNORECASE)
_PAIR = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|“([^”]*)”|([^\s"'“”;]+))""")
_NOTES = ("Note", "comment")  # Resolve's, and that of Final Cut's XML
_LONGEST = 10_000  # characters of a note


class Unclear(ValueError):
    """A note that begins like ours and says too little."""


def face_notes(text: str) -> list[dict[str, str]]:
    """Find `FACE target=… source=… [track=…]` in a note, as often as it is there; names with blanks stand in quotes.

    Raises Unclear for one without a target or a source.
    """
    text = text[:_LONGEST]
    notes = list(_FACE.finditer(text))
    ends = [*(m.start() for m in notes[1:]), len(text)]
    found = []
    for note, end in zip(notes, ends, strict=False):
        inside = text[note.end() : end]
        told = {m[1].lower(): next(g for g in m.groups()[1:] if g is not None) for m in _PAIR.finditer(inside)}
        found.append(told)
    return found


def casting_of(told: dict[str, Any], said: str) -> Casting:
    """Turn target, source and track or tracks into a Casting; raises Unclear."""
    target, source = (str(told.get(key) or "").strip() for key in ("target", "source"))
    if not target or not source:
        raise Unclear(f"{said}: says no {'target' if not target else 'source'}")
    tracks = told.get("tracks", told.get("track"))
    return Casting(target, source, track_numbers(tracks, said), said)


def track_numbers(told: Any, said: str) -> tuple[int, ...]:
    """Read `1`, `1,2`, `1 2` or a list of numbers; raises Unclear."""
    parts = re.split(r"[\s,;+]+", told.strip()) if isinstance(told, str) else told
    parts = [parts] if isinstance(parts, int) else parts or []
    try:
        numbers = tuple(int(str(part)) for part in parts if str(part))
    except (ValueError, TypeError) as e:
        raise Unclear(f"{said}: '{str(told)[:40]}' is no track") from e
    if any(n < 0 for n in numbers):
        raise Unclear(f"{said}: a track is 0 or more")
    return numbers


def in_marker(marker: Any) -> tuple[list[Casting], list[str]]:
    """What a marker says, in its name, its comment, or the note that a writer keeps in its metadata; and what in it is unclear."""
    texts = [marker.name, getattr(marker, "comment", "")]
    for block in marker.metadata.values():
        texts += [block.get(key) for key in _NOTES] if hasattr(block, "get") else []
    said = dict.fromkeys(t for t in texts if isinstance(t, str) and t)
    return _gather((told for text in said for told in face_notes(text)), "marker")


def in_metadata(clip: Any) -> tuple[list[Casting], list[str]]:
    """What the block `faceplate` of a clip's metadata says: target, source and tracks, or a list of such called `cast`."""
    block = clip.metadata.get("faceplate")
    if not hasattr(block, "get"):
        return [], []
    cast = block.get("cast", [block] if "target" in block or "source" in block else [])
    if not hasattr(cast, "__iter__") or isinstance(cast, str) or not all(hasattr(c, "get") for c in cast):
        return [], ["metadata: faceplate.cast is no list of castings"]
    return _gather(({k: c.get(k) for k in ("target", "source", "tracks")} for c in cast), "metadata")


def names_said(timeline: Any) -> frozenset[str]:
    """The names of all people that an edit itself says, wherever in it."""
    items = [timeline.tracks, *timeline.tracks.find_children()]
    told = [in_marker(marker)[0] for item in items for marker in getattr(item, "markers", ())]
    told += [in_metadata(item)[0] for item in items]
    return frozenset(name for found in told for c in found for name in (c.target, c.source))


def _gather(told: Iterable[dict[str, Any]], said: str) -> tuple[list[Casting], list[str]]:
    found, unclear = [], []
    for one in told:
        try:
            found.append(casting_of(one, said))
        except Unclear as e:
            unclear.append(str(e))
    return found, unclear
