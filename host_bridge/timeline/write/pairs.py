"""Which item of a list is which of another: the same ones first, then those of one kind and name, then those of one kind, all in order."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import eq
from typing import Any

from host_bridge.timeline.write.block import TRACK, marked
from host_bridge.timeline.write.tree import schema

_FEW = 400  # differences up to which the shortest list of them is sought


def pairs(a: list[Any], b: list[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield the indices of items that belong together, in order; None where an item has none."""
    exact = [[json.dumps(item, sort_keys=True) for item in items] for items in (a, b)]
    called = [[_called(item) for item in items] for items in (a, b)]
    matched = common(*exact)
    in_place = len(a) == len(b) and all(map(eq, *(map(_kind, items) for items in (a, b))))
    if in_place and sum(map(eq, *exact)) >= len(matched) and sum(map(eq, *called)) >= len(common(*called)):
        yield from ((i, i) for i in range(len(a)))  # of items that are alike none is another's
        return
    for i, j in _between(matched, len(a), len(b)):
        if isinstance(i, int) and isinstance(j, int):
            yield i, j
            continue
        left, right = _range(i), _range(j)
        like = [[names[k] for k in part] for names, part in ((called[0], left), (called[1], right))]
        for p, q in _between(common(*like), len(left), len(right)):
            if isinstance(p, int) and isinstance(q, int):
                yield left[p], right[q]
            else:
                yield from _by_kind(a, b, [left[k] for k in _range(p)], [right[k] for k in _range(q)])


def common(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[int, int]]:
    """Indices of equal items, ascending in both: a longest such list, unless the two differ in more than 400 places.

    Then what occurs once in each is taken. E. W. Myers, An O(ND) difference algorithm and its variations, 1986.
    """
    n, m = len(a), len(b)
    head = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(n, m))
    most = min(n, m) - head
    tail = next((i for i in range(most) if a[n - 1 - i] != b[m - 1 - i]), most)
    inner_a, inner_b = a[head : n - tail], b[head : m - tail]
    inner = _shortest(inner_a, inner_b)
    if inner is None:
        inner = _unique(inner_a, inner_b)
    return [
        *((i, i) for i in range(head)),
        *((head + i, head + j) for i, j in inner),
        *((n - tail + i, m - tail + i) for i in range(tail)),
    ]


def _shortest(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[int, int]] | None:
    n, m = len(a), len(b)
    furthest, steps = {1: 0}, []
    for d in range(min(n + m, _FEW) + 1):
        steps.append(dict(furthest))
        for k in range(-d, d + 1, 2):
            down = k == -d or (k != d and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            while x < n and x - k < m and a[x] == b[x - k]:
                x += 1
            furthest[k] = x
            if x >= n and x - k >= m:
                return _walked_back(steps, n, m)
    return None


def _walked_back(steps: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    found = []
    for d in range(len(steps) - 1, -1, -1):
        before, k = steps[d], x - y
        down = k == -d or (k != d and before[k - 1] < before[k + 1])
        from_k = k + 1 if down else k - 1
        from_x = before[from_k]
        from_y = from_x - from_k
        while x > max(from_x, 0) and y > max(from_y, 0):
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = from_x, from_y
    return found[::-1]


def _unique(a: Sequence[Any], b: Sequence[Any]) -> list[tuple[int, int]]:
    """Of the items that occur once in each, the longest ascending list of their places."""
    once_a, once_b = ({x for x, n in Counter(items).items() if n == 1} for items in (a, b))
    place = {x: j for j, x in enumerate(b) if x in once_b}
    found = [(i, place[x]) for i, x in enumerate(a) if x in once_a and x in place]
    ends: list[int] = []
    chosen: list[int] = []
    previous: list[int] = []
    for n, (_, j) in enumerate(found):
        at = bisect_left(ends, j)
        previous.append(chosen[at - 1] if at else -1)
        ends[at:], chosen[at:] = ([j, *ends[at + 1 :]], [n, *chosen[at + 1 :]]) if at < len(ends) else ([j], [n])
    back: list[tuple[int, int]] = []
    n = chosen[-1] if chosen else -1
    while n >= 0:
        back.append(found[n])
        n = previous[n]
    return back[::-1]


_Part = int | tuple[int, int]


def _between(matched: list[tuple[int, int]], n: int, m: int) -> Iterator[tuple[_Part, _Part]]:
    """The matches, and between them the ranges of what has none."""
    i = j = 0
    for p, q in [*matched, (n, m)]:
        if p > i or q > j:
            yield (i, p), (j, q)
        if p < n or q < m:
            yield p, q
        i, j = p + 1, q + 1


def _range(part: _Part) -> range:
    return range(part, part + 1) if isinstance(part, int) else range(*part)


def _by_kind(a: list[Any], b: list[Any], left: list[int], right: list[int]) -> Iterator[tuple[int | None, int | None]]:
    rest = list(right)
    for i in left:
        j = next((j for j in rest if _kind(a[i]) == _kind(b[j])), None)
        if j is not None:
            rest.remove(j)
        yield i, j
    yield from ((None, j) for j in rest)


def _called(item: Any) -> tuple[object, ...]:
    return *_kind(item), item.get("name")


def _kind(item: Any) -> tuple[str, Any, bool]:
    """What an item can only be paired with: its schema, sound or picture of a track, and whether Faceplate put the track in."""
    return schema(item), item.get("kind"), marked(item, TRACK) is not None
