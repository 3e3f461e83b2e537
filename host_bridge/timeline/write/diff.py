"""What differs between two edits: objects added, removed and changed, each with a path that a person can follow.

Items of a list are paired by what they are before they are compared (`pairs`). So a clip put in before others is one addition.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from host_bridge.timeline.read import Edit
from host_bridge.timeline.write.block import EXPORT, marked, without_ours
from host_bridge.timeline.write.pairs import pairs
from host_bridge.timeline.write.tree import DEFAULT_KEY, Node, active_reference, document_of, schema

Kind = Literal["added", "removed", "changed"]
_ABSENT = object()
_EMPTY: tuple[object, ...] = (None, [], {}, "")
_ORDER = {"added": 0, "removed": 1, "changed": 2}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. path: of names, from the timeline down. before, after: what stood and stands there, in short; empty for what is none.

    ours: Faceplate's export made it, and it is gone when that is taken out again.
    """

    kind: Kind
    path: str
    before: str
    after: str
    ours: bool = False


def diff_edits(a: Edit, b: Edit) -> list[Change]:
    """List what of `a` is otherwise in `b`; what Faceplate's last export to `b` made is marked as ours."""
    before, after = document_of(a), document_of(b)
    found = diff(before, after)
    if marked(after, EXPORT) is None:
        return found
    rest = {(c.kind, c.path, c.before, c.after) for c in diff(before, without_ours(after))}
    return [Change(c.kind, c.path, c.before, c.after, (c.kind, c.path, c.before, c.after) not in rest) for c in found]


def diff(before: Node, after: Node) -> list[Change]:
    """List the differences of two documents. What OpenTimelineIO takes for the same is the same: a missing field and its default, 24 and 24.0."""
    return list(_compare("timeline", _present(before), _present(after)))


def as_json(changes: Sequence[Change]) -> Node:
    """The document `faceplate.timeline-diff/1`."""
    return {"schema": "faceplate.timeline-diff/1", "same": not changes, "changes": [asdict(c) for c in changes]}


def _present(node: Any) -> Any:
    """A document as today's OpenTimelineIO would write it, as far as older spellings of the same go."""
    if isinstance(node, list):
        return [_present(child) for child in node]
    if not isinstance(node, dict):
        return node
    found = {key: _present(value) for key, value in node.items()}
    if found.get("OTIO_SCHEMA") == "Clip.1":
        found["OTIO_SCHEMA"] = "Clip.2"
        found["media_references"] = {DEFAULT_KEY: found.pop("media_reference", None)}
    if schema(found) == "Clip":
        found.setdefault("active_media_reference_key", DEFAULT_KEY)
    if schema(found) and not found.keys().isdisjoint(("children", "source_range", "effect_name")):
        found.setdefault("enabled", True)
    return found


def _compare(path: str, a: Any, b: Any) -> Iterator[Change]:
    if _same(a, b):
        return
    if isinstance(a, dict) and isinstance(b, dict) and schema(a) == schema(b) and schema(a) not in _WHOLE:
        for key in (*a, *(k for k in b if k not in a)):
            yield from _compare_field(path, key, a.get(key, _ABSENT), b.get(key, _ABSENT))
    elif isinstance(a, list) and isinstance(b, list) and _objects(a) and _objects(b):
        yield from _compare_list(path, a, b)
    else:
        yield _change(path, a, b)


_WHOLE = {"RationalTime", "TimeRange", "TimeTransform", "Color", "V2d", "Box2d"}


def _compare_field(path: str, key: str, a: Any, b: Any) -> Iterator[Change]:
    inner = path if key in ("tracks", "children", "markers", "effects", "media_references") else f"{path} › {key}"
    if key in ("media_references",) and isinstance(a, dict) and isinstance(b, dict):
        moved = {k: n for k in a for n in b if n not in a and not _same(a[k], b.get(k)) and _same(a[k], b[n])}
        for name in (*a, *(k for k in b if k not in a and k not in moved.values())):
            here = f"{path} › media reference {name}"
            if name in moved:
                yield Change("changed", here, name, moved[name])
            yield from _compare(here, _ABSENT if name in moved else a.get(name, _ABSENT), b.get(name, _ABSENT))
    else:
        yield from _compare(inner, a, b)


def _compare_list(path: str, a: list[Any], b: list[Any]) -> Iterator[Change]:
    counts_a, counts_b = _numbers(a), _numbers(b)
    for i, j in pairs(a, b):
        if i is None:
            yield _change(f"{path} › {_name(b[j], counts_b[j])}", _ABSENT, b[j])  # type: ignore[index]
        elif j is None:
            yield _change(f"{path} › {_name(a[i], counts_a[i])}", a[i], _ABSENT)
        else:
            yield from _compare(f"{path} › {_name(a[i], counts_a[i])}", a[i], b[j])


def _same(a: Any, b: Any) -> bool:
    if a is _ABSENT or b is _ABSENT:
        return (a is _ABSENT or a in _EMPTY) and (b is _ABSENT or b in _EMPTY)
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_same(a.get(key, _ABSENT), b.get(key, _ABSENT)) for key in {**a, **b})
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return (type(a) is type(b) and a == b) or (_number(a) and _number(b) and a == b)


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _objects(items: list[Any]) -> bool:
    return all(schema(item) for item in items)


def _numbers(items: list[Any]) -> list[int]:
    """The number of each item among those of its kind, from 1; a track's among those of its kind of track."""
    count: dict[str, int] = {}
    found = []
    for item in items:
        kind = schema(item) + str(item.get("kind", ""))
        count[kind] = count.get(kind, 0) + 1
        found.append(count[kind])
    return found


def _name(node: Any, number: int) -> str:
    kind = schema(node)
    what = f"{str(node.get('kind', '')).lower()} track" if kind == "Track" else kind.lower() if kind in _PLAIN else kind
    name = node.get("name") or node.get("effect_name")
    return f"{what.strip()} {number}" + (f" '{name}'" if name else "")


_PLAIN = {"Clip", "Gap", "Stack", "Marker", "Transition", "Effect"}


def _change(path: str, a: Any, b: Any) -> Change:
    none_a, none_b = (x is _ABSENT or (x in _EMPTY and not _number(x) and not isinstance(x, bool)) for x in (a, b))
    kind: Kind = "added" if none_a and not none_b else "removed" if none_b and not none_a else "changed"
    return Change(kind, path, "" if a is _ABSENT else short(a), "" if b is _ABSENT else short(b))


def short(value: Any) -> str:
    """A value in a few words."""
    kind = schema(value)
    if kind == "RationalTime":
        return f"{value.get('value'):g} @ {value.get('rate'):g}"
    if kind == "TimeRange":
        return f"{short(value.get('start_time'))} for {short(value.get('duration'))}"
    if kind:
        shown = active_reference(value) if kind == "Clip" else value
        media = (shown or {}).get("target_url") or (shown or {}).get("target_url_base")
        items = value.get("children")
        return kind + (f" {media}" if media else "") + (f" of {len(items)} items" if isinstance(items, list) else "")
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
