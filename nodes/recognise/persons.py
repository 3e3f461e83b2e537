"""Tell the people of one clip apart, so that a performer's face is put on one of them alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nodes.footage.footage import Footage
from nodes.recognise.descriptor import describe, likeness
from nodes.types import Float, Track

# dlib's own limit for pictures of one person. Of the sample clips two frames of one person are at most 0.50 apart, of two at least 0.76.
_ONE_PERSON = 0.6
_LOOKS = 5  # frames of a track that are looked at


def of_one_person(footage: Footage, tracks: Sequence[Track]) -> list[Track]:
    """Return those of the tracks that show the person of whom most is seen, in their order.

    tracks: of the subject `face`, with frames by their positions in `footage`. A track is of the person whom its median distance
    to what was seen of them is the smallest, and below dlib's limit; else of somebody new. Raises FootageError.
    """
    if len(tracks) < 2:
        return list(tracks)
    seen = _descriptors(footage, tracks)
    size = [float((t.boxes[:, 3] - t.boxes[:, 1]).sum()) for t in tracks]
    people: list[list[int]] = []
    for at in sorted(range(len(tracks)), key=lambda i: -size[i]):
        distances = [float(np.median(likeness(seen[at], np.concatenate([seen[i] for i in who])))) for who in people]
        if distances and min(distances) <= _ONE_PERSON:
            people[int(np.argmin(distances))].append(at)
        else:
            people.append([at])
    main = max(people, key=lambda who: sum(size[i] for i in who))
    return [tracks[i] for i in sorted(main)]


def _descriptors(footage: Footage, tracks: Sequence[Track]) -> list[Float]:
    """Descriptors of some frames of each track, not of its ends, where faces come and go."""
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for at, track in enumerate(tracks):
        rows = np.flatnonzero(track.scores > 0)
        for row in sorted({rows[round(p)] for p in np.linspace(0, len(rows) - 1, _LOOKS + 2)[1:-1]}):
            wanted[int(track.frames[row])].append((at, int(row)))
    found: list[list[Float]] = [[] for _ in tracks]
    for frame, faces in sorted(wanted.items()):
        landmarks = np.stack([tracks[at].landmarks[row] for at, row in faces])
        for (at, _), descriptor in zip(faces, describe(footage.frame(frame).rgb8(), landmarks), strict=True):
            found[at].append(descriptor)
    return [np.stack(one) for one in found]
