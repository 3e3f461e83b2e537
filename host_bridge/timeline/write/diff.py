"""Differences of two edits: objects added, removed and changed, each with a readable path.

Items of a list are paired before they are compared: equal ones first, then those of one kind and name, then those of one kind. So a clip inserted
before others is one addition.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from operator import eq
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from host_bridge.timeline.read.edit import Edit
from host_bridge.timeline.write.tree import (
    DEFAULT_KEY,
    EXPORT,
    TRACK,
    Node,
    active_reference,
    document_of,
    marked,
    schema,
    without_ours,
)

Kind = Literal["added", "removed", "changed"]
_ABSENT = object()
_EMPTY: tuple[object, ...] = (None, [], {}, "")
_WHOLE = {"RationalTime", "TimeRange", "TimeTransform", "Color", "V2d", "Box2d"}  # compared as one value
_PLAIN = {"Clip", "Gap", "Stack", "Marker", "Transition", "Effect"}  # named in lower case


class Change(BaseModel):
    """One difference. path: of names, from the timeline down. before, after: the two values in short; empty if absent.

    ours: made by Faceplate's export; undone when that is removed.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    path: str
    before: str
    after: str
    ours: bool = False


class EditDiff(BaseModel):
    """The document `faceplate.timeline-diff/1`."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_: str = Field(default="faceplate.timeline-diff/1", alias="schema")
    same: bool
    changes: tuple[Change, ...]


def diff_edits(a: Edit, b: Edit) -> list[Change]:
    """List the differences from `a` to `b`; those made by Faceplate's last export to `b` are marked as ours."""
    before, after = document_of(a), document_of(b)
    changes = diff(before, after)
    if marked(after, EXPORT) is None:
        return changes
    rest = set(diff(before, without_ours(after)))
    return [change.model_copy(update={"ours": change not in rest}) for change in changes]


def diff(before: Node, after: Node) -> list[Change]:
    """List the differences of two documents. Values equal to OpenTimelineIO are equal: a missing field and its default, 24 and 24.0."""
    return list(_compare("timeline", _present(before), _present(after)))


def _present(node: Any) -> Any:
    """Upgrade older spellings in a document to those of today's OpenTimelineIO."""
    if isinstance(node, list):
        return [_present(child) for child in node]
    if not isinstance(node, dict):
        return node
    present = {key: _present(value) for key, value in node.items()}
    if present.get("OTIO_SCHEMA") == "Clip.1":
        present["OTIO_SCHEMA"] = "Clip.2"
        present["media_references"] = {DEFAULT_KEY: present.pop("media_reference", None)}
    if schema(present) == "Clip":
        present.setdefault("active_media_reference_key", DEFAULT_KEY)
    if schema(present) and not present.keys().isdisjoint(("children", "source_range", "effect_name")):
        present.setdefault("enabled", True)
    return present


# --- comparing ---


def _compare(path: str, a: Any, b: Any) -> Iterator[Change]:
    if _same(a, b):
        return
    if isinstance(a, dict) and isinstance(b, dict) and schema(a) == schema(b) and schema(a) not in _WHOLE:
        for key in {**a, **b}:
            yield from _compare_field(path, key, a.get(key, _ABSENT), b.get(key, _ABSENT))
    elif isinstance(a, list) and isinstance(b, list) and all(map(schema, a)) and all(map(schema, b)):
        names_a, names_b = [*_names(a), None], [*_names(b), None]
        for i, j in _pairs(a, b):
            here = f"{path} › {names_a[-1 if i is None else i] or names_b[-1 if j is None else j]}"
            yield from _compare(here, _ABSENT if i is None else a[i], _ABSENT if j is None else b[j])
    else:
        none_a, none_b = (_same(x, _ABSENT) for x in (a, b))
        kind: Kind = "added" if none_a and not none_b else "removed" if none_b and not none_a else "changed"
        before, after = ("" if x is _ABSENT else _short(x) for x in (a, b))
        yield Change(kind=kind, path=path, before=before, after=after)


def _compare_field(path: str, key: str, a: Any, b: Any) -> Iterator[Change]:
    if key == "media_references" and isinstance(a, dict) and isinstance(b, dict):
        moved = {k: n for k in a for n in b if n not in a and not _same(a[k], b.get(k)) and _same(a[k], b[n])}
        for name in (*a, *(k for k in b if k not in a and k not in moved.values())):
            here = f"{path} › media reference {name}"
            if name in moved:
                yield Change(kind="changed", path=here, before=name, after=moved[name])
            yield from _compare(here, _ABSENT if name in moved else a.get(name, _ABSENT), b.get(name, _ABSENT))
    else:
        named = key not in ("tracks", "children", "markers", "effects", "media_references")
        yield from _compare(f"{path} › {key}" if named else path, a, b)


def _same(a: Any, b: Any) -> bool:
    if a is _ABSENT or b is _ABSENT:
        return all(x is _ABSENT or x in _EMPTY for x in (a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_same(a.get(key, _ABSENT), b.get(key, _ABSENT)) for key in {**a, **b})
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return bool((type(a) is type(b) or (_is_number(a) and _is_number(b))) and a == b)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


# --- descriptions ---


def _names(items: list[Any]) -> list[str]:
    """Name the items of a list: kind, number among those of its kind (of a track: of its kind of track), and own name."""
    count: Counter[str] = Counter()
    names = []
    for item in items:
        kind = schema(item)
        what = f"{str(item.get('kind', '')).lower()} track" if kind == "Track" else kind
        what = what.lower().strip() if kind in _PLAIN else what.strip()
        own = item.get("name") or item.get("effect_name")
        count[key := kind + str(item.get("kind", ""))] += 1
        names.append(f"{what} {count[key]}" + (f" '{own}'" if own else ""))
    return names


def _short(value: Any) -> str:
    """Describe a value in a few words."""
    kind = schema(value)
    if kind == "RationalTime":
        return f"{value.get('value'):g} @ {value.get('rate'):g}"
    if kind == "TimeRange":
        return f"{_short(value.get('start_time'))} for {_short(value.get('duration'))}"
    if kind:
        reference = active_reference(value) if kind == "Clip" else value
        media = (reference or {}).get("target_url") or (reference or {}).get("target_url_base")
        items = value.get("children")
        return kind + (f" {media}" if media else "") + (f" of {len(items)} items" if isinstance(items, list) else "")
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"


# --- pairing ---


def _pairs(a: list[Any], b: list[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield the indices of items that belong together, in order; None for an item without a counterpart."""
    exact, named, kinds = (
        [[key(item) for item in items] for items in (a, b)]
        for key in (lambda item: json.dumps(item, sort_keys=True), lambda item: (*_kind(item), item.get("name")), _kind)
    )
    in_place = len(a) == len(b) and all(map(eq, *kinds))
    if in_place and all(sum(map(eq, *keys)) >= len(_common(*keys)) for keys in (exact, named)):
        yield from ((i, i) for i in range(len(a)))  # similar items are compared by position
    else:
        yield from _paired([exact, named, kinds], range(len(a)), range(len(b)))


def _paired(keys: list[list[list[Any]]], left: range, right: range) -> Iterator[tuple[int | None, int | None]]:
    """Pair two ranges of indices by the first keys, and what lies between the pairs by the next."""
    if not keys or not left or not right:
        yield from ((i, None) for i in left)
        yield from ((None, j) for j in right)
        return
    (in_a, in_b), *rest = keys
    i = j = 0
    for p, q in [*_common([in_a[k] for k in left], [in_b[k] for k in right]), (len(left), len(right))]:
        yield from _paired(rest, left[i:p], right[j:q])
        if p < len(left):
            yield left[p], right[q]
        i, j = p + 1, q + 1


def _common(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[int, int]]:
    """Return indices of equal items, ascending in both: at both ends, then those that occur once in each, then again between these.

    B. Cohen, Patience Diff Advantages, 2010. Fast where many items are alike, as gaps are.
    """
    n, m = len(a), len(b)
    head = next((i for i in range(min(n, m)) if a[i] != b[i]), min(n, m))
    most = min(n, m) - head
    tail = next((i for i in range(most) if a[n - 1 - i] != b[m - 1 - i]), most)
    pairs = [(i, i) for i in range(head)]
    once_a, once_b = ({x for x, count in Counter(items).items() if count == 1} for items in (a, b))
    left = [i for i in range(head, n - tail) if a[i] in once_a and a[i] in once_b]
    right = [j for j in range(head, m - tail) if b[j] in once_a and b[j] in once_b]
    matcher = SequenceMatcher(None, [a[i] for i in left], [b[j] for j in right], autojunk=False)
    if blocks := matcher.get_matching_blocks()[:-1]:
        i = j = head
        for p, q in [(left[k.a + c], right[k.b + c]) for k in blocks for c in range(k.size)]:
            pairs += [(i + x, j + y) for x, y in _common(a[i:p], b[j:q])]
            pairs.append((p, q))
            i, j = p + 1, q + 1
        pairs += [(i + x, j + y) for x, y in _common(a[i : n - tail], b[j : m - tail])]
    return pairs + [(n - tail + i, m - tail + i) for i in range(tail)]


def _kind(item: Any) -> tuple[str, Any, bool]:
    """Return what paired items must share: schema, a track's kind, and whether Faceplate added the track."""
    return schema(item), item.get("kind"), marked(item, TRACK) is not None
