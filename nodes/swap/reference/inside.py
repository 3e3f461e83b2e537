"""The inside of the mouth: teeth and tongue of the plate, lit and toned as the source's, where the source lacks them."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.align.pose import Performance
from nodes.definitions import ColourMatch, Mouth
from nodes.geometry.smoothing import blur
from nodes.geometry.step import smoothstep
from nodes.subjects.subject import Opening, Subject
from nodes.swap.colour import apply_colour, match_colours
from nodes.swap.reference.choice import Choice
from nodes.swap.reference.expression import part_numbers
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.warp import MeshWarp
from nodes.types import Float

_EDGE = 0.006  # of the crop: σ of the soft edge along the lips, at most; of a narrow opening less
# Between these two the plate's replaces the source's own: spreads of expression between plate and reference, and the ratio
# of their openings.
_APART, _TORN = (1.3, 1.9), (1.3, 1.7)
_AROUND = 0.08  # of the crop: distance around the opening in which skin is compared
_STEADY = 3.0  # frames over which one fades into the other
_SUBPIXEL = 4  # bits


def filled_openings(subject: Subject) -> tuple[Opening, ...]:
    """List the openings whose inside may be the plate's."""
    return tuple(o for o in subject.openings if o.fill)


def plate_share(
    opening: Opening,
    plate: Performance,
    source: Performance,
    choices: tuple[Choice, ...],
    subject: Subject,
    mouth: Mouth,
) -> Float:
    """Decide the plate's share of an opening's inside in each frame: [T], 0..1."""
    if mouth is not Mouth.AUTO:
        return np.full(len(plate.shape), float(mouth is Mouth.PLATE), np.float32)
    at = next(i for i, part in enumerate(subject.parts) if part.name == opening.fill)
    plate_numbers, source_numbers = (part_numbers(p, subject.parts[at], subject) for p in (plate, source))
    reference_numbers = np.einsum("tk,tkd->td", choices[at].weight, source_numbers[choices[at].index])
    apart = np.linalg.norm(plate_numbers - reference_numbers, axis=1)
    # A reference stretched far open is smeared, however similar the rest.
    height, own = (opening.height(p.shape) + np.float32(opening.closed) for p in (plate, source))
    torn = height / np.einsum("tk,tk->t", choices[at].weight, own[choices[at].index])
    shares = [
        smoothstep((blur(value, _STEADY) - low) / (high - low))
        for value, (low, high) in ((apart, _APART), (torn, _TORN))
    ]
    return np.maximum(*shares)


def fill_opening(
    image: Float, plate: Reference, opening: Opening, vertices: Float, warp: MeshWarp, skin: Float, share: float
) -> None:
    """Put the plate's picture into an opening of the new face, in place.

    image: the new face, RGB [S, S, 3], 0..1. vertices: [V, >=2] of it in pixels. skin: [V], 0..1, where both show skin by which the plate's
    colours are brought to the new face's. share: of the plate, 0..1.
    """
    size = len(image)
    outline = np.round((vertices[opening.contour, :2] - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)
    x, y, width, height = cv2.boundingRect(outline >> _SUBPIXEL)
    margin = round(_AROUND * size)
    bounds = np.array([[y - margin, y + height + margin], [x - margin, x + width + margin]])
    (top, bottom), (left, right) = (np.clip(bounds, 0, size) // 2 * 2).tolist()
    if bottom <= top or right <= left:
        return
    box = np.s_[top:bottom, left:right]
    matte = np.zeros((size, size), np.uint8)
    cv2.fillPoly(matte, [outline], 255, cv2.LINE_AA, _SUBPIXEL)
    matte = matte[box]
    theirs, mine = np.asarray(warp.fetch([plate], box)[0] / 255, np.float32), image[box]
    weight = warp.spread(skin[:, None], box)[..., 0] * (matte == 0)
    affine = match_colours(theirs[None], mine[None], weight[None], ColourMatch.REINHARD)
    toned = apply_colour(theirs[None], affine)[0]
    # It fades inside of the lips: the plate's own lips, which landmarks do not follow to the pixel, must not show.
    sigma = max(min(_EDGE * size, height / 6), 0.3)
    alpha = share * np.clip(2 * cv2.GaussianBlur(matte / np.float32(255), (0, 0), sigma) - 1, 0, 1)
    mine += alpha[..., None] * (toned - mine)
