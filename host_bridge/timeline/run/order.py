"""Which shots are done, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

from host_bridge.timeline.shots.shot import Shot


def wanted(shots: Iterable[Shot]) -> list[Shot]:
    """Those in which somebody is replaced; a disabled clip is not seen, and waits until it is enabled."""
    return [shot for shot in shots if shot.cast and shot.enabled]


def in_order(shots: Iterable[Shot]) -> list[Shot]:
    """Pair by pair, as the edit brings them, and of each pair the longest shot first.

    So the model that the others of a pair start from has seen the most.
    """
    found = list(shots)
    first = {_pair(shot): at for at, shot in reversed(list(enumerate(found)))}
    return sorted(found, key=lambda shot: (first[_pair(shot)], shot.span[0] - shot.span[1]))


def _pair(shot: Shot) -> tuple[str, str]:
    return shot.cast[0].source, shot.cast[0].target
