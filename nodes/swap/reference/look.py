"""A second look: what the new face shows is compared with what the plate shows, and asked for so that they agree.

A mesh that is brought to the plate's coefficients is not yet a picture that shows them: thick brows look lowered, a beard hides how far a jaw drops. So
some frames are rendered, the landmarker looks at them, and a line for each coefficient says how what is seen follows what was asked for.
"""

from __future__ import annotations

import numpy as np

from nodes.align.pose import read_coefficients
from nodes.definitions import ColourMatch
from nodes.detect.finder import finder_of
from nodes.geometry.sampling import crop
from nodes.mask import mask
from nodes.swap.colour import apply_colour, match_colours
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.render import ReferenceTrack
from nodes.types import Float, Int

SAMPLES = 64  # frames that are looked at
MARGIN = 0.35  # of the face's extent, around it: as much as the finder wants to see
_SIZE = 256  # pixels of the crops that are looked at
_PRIOR = 0.06  # spread of a coefficient, with which it is as likely that nothing is to be changed
_GAIN, _MOST = (0.6, 1.5), 0.15  # of what is asked for: the least and the most, and the largest change
_LEVEL = 0.4  # of a constant difference that is made up for: the rest is how this performer looks at rest


def look_again(track: ReferenceTrack, rows: Int, pictures: list[Reference], expression: float = 1.0) -> Float:
    """The coefficients [T, C] that the new face has to be asked for, so that it shows the plate's times `expression`.

    rows: frames of the track that are looked at; pictures: of them, with the vertices [2 V, 2] of the plate's surface and of the new face's.
    """
    seen = [_seen(track, t, picture) for t, picture in zip(rows.tolist(), pictures, strict=True)]
    there = [pair for pair in seen if pair is not None]
    wanted = track.coefficients  # what it has been asked for so far
    if len(there) < 2:
        return wanted
    plate, shown = np.stack(there, 1) * np.array([expression, 1], np.float32)[:, None, None]
    middle, level = plate.mean(0), shown.mean(0)
    # With few frames, or where next to nothing happens, the slope of the line is 1.
    prior = _PRIOR**2
    slope = (((plate - middle) * (shown - level)).mean(0) + prior) / (((plate - middle) ** 2).mean(0) + prior)
    strength = np.clip(1 / np.maximum(slope, 1e-3), *_GAIN)
    asked = wanted + np.clip((strength - 1) * (wanted - middle) - _LEVEL * (level - middle), -_MOST, _MOST)
    return np.asarray(np.clip(asked, 0, 1), np.float32)


def _seen(track: ReferenceTrack, t: int, picture: Reference) -> tuple[Float, Float] | None:
    """Coefficients [C] that the finder sees in the plate and in the new face of a frame; None where it sees no face."""
    subject = track.subject
    own, new = np.split(picture.vertices, 2)
    low, high = own.min(0), own.max(0)
    scale = float((high - low).max()) * (1 + 2 * MARGIN) / _SIZE
    corner = (low + high - scale * _SIZE) / 2
    plate = crop(picture.image, np.array([[[scale, 0, corner[0]], [0, scale, corner[1]]]], np.float32), _SIZE)[0]
    own, new = ((v - corner) / np.float32(scale) for v in (own, new))
    deep = np.concatenate([new, track.vertices[t, :, 2:]], 1).astype(np.float32)
    face, inside = track.render(t, deep, _SIZE, Reference(plate, own))
    landmarks = own[: len(subject.template)]
    matte = mask(landmarks[None], _SIZE, subject) * inside
    base = np.asarray(plate / np.float32(255), np.float32)[None]
    matched = apply_colour(face[None], match_colours(face[None], base, matte, ColourMatch.REINHARD))
    composite = base + matte[..., None] * (matched - base)
    finder = finder_of(subject)
    squares = finder.next_squares(landmarks[None])
    looks = [finder.look(p, squares) for p in (plate, np.round(composite[0] * 255).clip(0, 255).astype(np.uint8))]
    if min(float(look.scores[0]) for look in looks) < finder.sure:
        return None
    first, second = (read_coefficients(look.landmarks, subject)[0] for look in looks)
    return first, second
