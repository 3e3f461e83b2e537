"""Everything the reference method decides before the first pixel: shapes, choices, and the references themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nodes.align import Alignment
from nodes.align.pose import Performance, take_performance
from nodes.definitions import SwapParameters
from nodes.footage import Footage
from nodes.geometry.smoothing import window_length
from nodes.swap.reference.choice import Choice, choose
from nodes.swap.reference.expression import POSE_UNIT, common_poses, part_numbers
from nodes.swap.reference.gallery import Reference, fetch_references
from nodes.swap.reference.inside import filled_openings, plate_share
from nodes.swap.reference.render import ReferenceTrack
from nodes.swap.reference.retarget import retarget
from nodes.swap.reference.source import Source
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.wrinkles import SIDE, learn_wrinkles, spread_out
from nodes.types import Int, Track

_POSE_WINDOW = 0.36  # seconds


def plan_reference(
    alignments: Sequence[Alignment],
    source: Source,
    parameters: SwapParameters,
    plate: Footage | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[ReferenceTrack]:
    """Decide shapes and references of every track, and fetch the references' pixels in one pass over the source.

    plate: the footage of the alignments, of which some frames are looked at for the plate's wrinkles; none without.
    """
    if source.footage is None:
        raise ValueError("references are fetched from footage")
    subject, surface = source.subject, surface_of(source.subject)
    plates = [
        take_performance(a.track.landmarks, subject, window_length(_POSE_WINDOW, a.rate), mirrored=a.track.mirrored)
        for a in alignments
    ]
    chosen = [choose_references(p, source, parameters) for p in plates]
    learns = plate is not None and parameters.wrinkles > 0 and subject.coefficients is not None
    samples = spread_out(source.performance.coefficients) if learns else np.zeros(0, np.int64)
    needed = np.unique(np.concatenate([samples, *(c.index[c.weight > 0] for choices in chosen for c in choices)]))
    size = max(a.size for a in alignments)
    pictures = fetch_references(
        source.footage, source.frames[needed], surface.extend(source.landmarks[needed], picture=True), size, progress
    )
    references = dict(zip(needed.tolist(), pictures, strict=True))
    tracks = []
    for alignment, performance, choices in zip(alignments, plates, chosen, strict=True):

        def own(rows: Int, track: Track = alignment.track) -> list[Reference]:
            assert plate is not None
            return fetch_references(
                plate, track.frames[rows], surface.extend(track.landmarks[rows], picture=True), 2 * SIDE
            )

        tracks.append(make_track(performance, source, choices, references, parameters, own if learns else None))
    return tracks


def make_track(
    plate: Performance,
    source: Source,
    choices: tuple[Choice, ...],
    references: dict[int, Reference],
    parameters: SwapParameters,
    pictures: Callable[[Int], list[Reference]] | None = None,
) -> ReferenceTrack:
    """One track of T frames, ready to render.

    choices: of source frames in each of them. references: the pictures of these source frames, and for wrinkles of those that cover the
    source's expressions. pictures: gives those of the plate's frames; without it no wrinkles are learned.
    """
    subject = source.subject
    wrinkles = None
    if pictures is not None:
        mine, theirs = spread_out(source.performance.coefficients), spread_out(plate.coefficients)
        wrinkles = learn_wrinkles(plate, theirs, pictures(theirs), source, mine, [references[i] for i in mine.tolist()])
    return ReferenceTrack(
        subject,
        surface_of(subject).extend(plate.place(retarget(plate, source.performance, subject, parameters))),
        choices,
        references,
        plate.coefficients,
        source.performance.coefficients,
        wrinkles,
        parameters.wrinkles,
        tuple(
            plate_share(o, plate, source.performance, choices, subject, parameters.mouth)
            for o in filled_openings(subject)
        ),
    )


def choose_references(plate: Performance, source: Source, parameters: SwapParameters) -> tuple[Choice, ...]:
    """Choose source frames for each part of the subject in every frame of the plate."""
    pose, own = common_poses(plate, source.performance)
    chosen = []
    for part in source.subject.parts:
        there = part_numbers(source.performance, part, source.subject)
        usual = part.usual * np.median(there, axis=0)
        wanted = (part_numbers(plate, part, source.subject) + usual) / (1 + part.usual)
        seen, view = (part.view * turn / POSE_UNIT for turn in (pose, own))
        chosen.append(choose(np.asarray(wanted, np.float32), there, seen, view, source.penalty, parameters.steadiness))
    return tuple(chosen)
