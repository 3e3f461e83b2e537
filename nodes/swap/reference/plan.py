"""Plan of the reference method: shapes, choices and references, decided before the first pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nodes.align import Alignment
from nodes.align.pose import Performance, take_performance
from nodes.definitions import SwapParameters
from nodes.footage.footage import Footage
from nodes.geometry.smoothing import window_length
from nodes.geometry.step import smoothstep
from nodes.progress import Progress, quiet, stage
from nodes.subjects.subject import Part, Subject
from nodes.swap.reference.choice import Choice, choose
from nodes.swap.reference.expression import POSE_UNIT, common_poses, part_numbers
from nodes.swap.reference.gallery import Reference, fetch_references
from nodes.swap.reference.hidden import FrontFinder, hidden_parts
from nodes.swap.reference.inside import filled_openings, plate_share
from nodes.swap.reference.look import MARGIN, look_again
from nodes.swap.reference.render import ReferenceTrack
from nodes.swap.reference.retarget import retarget
from nodes.swap.reference.source import Source
from nodes.swap.reference.surface import surface_of
from nodes.swap.reference.wrinkles import SIDE, learn_wrinkles, spread_out
from nodes.types import Float, Int, Track

_POSE_WINDOW = 0.36  # seconds
_CHOICES = 3  # times that references are chosen, until those are found in which the face is not hidden
_HIDING = 40.0  # cost of a frame in which a part is hidden, in squared spreads
_ALIKE = 0.7  # spreads up to which two eyes do the same


def plan_reference(
    alignments: Sequence[Alignment],
    source: Source,
    parameters: SwapParameters,
    plate: Footage | None = None,
    progress: Progress = quiet,
    name: str = "prepare",
    front: FrontFinder | None = None,
) -> list[ReferenceTrack]:
    """Decide shapes and references of every track, and fetch the references' pixels in one pass over the source.

    plate: the footage of the alignments, some frames of which are analysed for wrinkles and for the second look; skipped without it. progress:
    receives the source's frames as they are read, under `name`, and the rendered sample frames, under "look". front: finds what is in front of a face: source frames in
    which a part is hidden are avoided, and what is hidden in the plate is not looked at.
    """
    if source.footage is None:
        raise ValueError("references are fetched from footage")
    subject, surface = source.subject, surface_of(source.subject)
    plates = [
        take_performance(a.track.landmarks, subject, window_length(_POSE_WINDOW, a.rate), mirrored=a.track.mirrored)
        for a in alignments
    ]
    learns = plate is not None and subject.coefficients is not None
    samples = spread_out(source.performance.coefficients) if learns else np.zeros(0, np.int64)
    size, read, footage = max(a.size for a in alignments), stage(progress, name, None), source.footage
    references: dict[int, Reference] = {}

    def fetch(rows: Int) -> None:
        points = surface.extend(source.landmarks[rows], picture=True)
        pictures = fetch_references(
            footage, source.frames[rows], points, size, read, look=front.of_source if front else None
        )
        references.update(zip(rows.tolist(), pictures, strict=True))

    hidden = None
    for _ in range(_CHOICES):
        chosen = [choose_references(p, source, parameters, hidden) for p in plates]
        needed = np.unique(np.concatenate([samples, *(c.index[c.weight > 0] for choices in chosen for c in choices)]))
        missing = np.array([row for row in needed.tolist() if row not in references], np.int64)
        fetch(missing)
        if all(references[row].own is None for row in missing.tolist()):
            break
        hidden = hidden_parts(references, source)
    tracks = []
    for alignment, performance, choices in zip(alignments, plates, chosen, strict=True):

        def own(rows: Int, points: Float, track: Track = alignment.track) -> list[Reference]:
            assert plate is not None
            look = front.of_plate if front else None
            return fetch_references(plate, track.frames[rows], points, 2 * SIDE, margin=MARGIN, look=look)

        landmarks, pictures_ = alignment.track.landmarks, own if learns else None
        tracks.append(make_track(performance, landmarks, source, choices, references, parameters, pictures_, progress))
    return tracks


def make_track(
    plate: Performance,
    landmarks: Float,
    source: Source,
    choices: tuple[Choice, ...],
    references: dict[int, Reference],
    parameters: SwapParameters,
    pictures: Callable[[Int, Float], list[Reference]] | None = None,
    progress: Progress = quiet,
) -> ReferenceTrack:
    """Make one track of T frames, ready to render.

    landmarks: [T, L, 3], of the plate. choices: of source frames in each of them. references: the pictures of these source frames, and of those
    that cover the source's expressions. pictures: fetches those of the plate's frames [n], with points [n, V, 3] of the plate in
    their pixels; without it there are no learned wrinkles and no second look.
    """
    subject, surface = source.subject, surface_of(source.subject)

    def placed(acted: Float) -> Float:
        return surface.extend(plate.place(retarget(plate, source.performance, subject, parameters, acted)))

    acted = np.float32(parameters.expression) * plate.coefficients
    track = ReferenceTrack(
        subject,
        placed(acted),
        choices,
        references,
        acted,
        source.performance.coefficients,
        None,
        parameters.wrinkles,
        tuple(
            plate_share(o, plate, source.performance, choices, subject, parameters.mouth)
            for o in filled_openings(subject)
        ),
    )
    if pictures is None:
        return track
    theirs, mine = spread_out(plate.coefficients), spread_out(source.performance.coefficients)
    own = surface.extend(landmarks[theirs], picture=True)
    plate_pictures = pictures(theirs, np.concatenate([own, track.vertices[theirs]], 1))
    if parameters.wrinkles:
        alone = [Reference(p.image, p.vertices[: own.shape[1]], p.own) for p in plate_pictures]
        folds = learn_wrinkles(plate, theirs, alone, source, mine, [references[i] for i in mine.tolist()])
        track = replace(track, wrinkles=folds)
    return look_again(track, plate, placed, theirs, plate_pictures, parameters.expression, progress)


def choose_references(
    plate: Performance, source: Source, parameters: SwapParameters, hidden: Float | None = None
) -> tuple[Choice, ...]:
    """Choose source frames for each part of the subject in every frame of the plate. hidden: how much of each part is hidden in each frame, [N, P]."""
    pose, own = common_poses(plate, source.performance)
    chosen = []
    for number, part in enumerate(source.subject.parts):
        penalty = source.penalty if hidden is None else source.penalty + np.float32(_HIDING) * hidden[:, number]
        source_numbers, target = (_both_sides(p, part, source.subject) for p in (source.performance, plate))
        if len(part.twin):
            target = _agreeing(target)
        target = np.asarray((target + part.usual * np.median(source_numbers, axis=0)) / (1 + part.usual), np.float32)
        plate_view, source_view = (part.view * turn / POSE_UNIT for turn in (pose, own))
        chosen.append(choose(target, source_numbers, plate_view, source_view, penalty, parameters.steadiness))
    return tuple(chosen)


def _both_sides(performance: Performance, part: Part, subject: Subject) -> Float:
    """Return the expression of a part and, if it has one, of its twin: [T, D] or [T, 2 D].

    Some people have one eye narrower than the other: half of the usual difference is removed from each.
    """
    own = part_numbers(performance, part, subject)
    if not len(part.twin):
        return own
    other = part_numbers(performance, replace(part, coefficients=part.twin), subject)
    half = np.median(own - other, axis=0) / 2
    return np.asarray(np.concatenate([own - half, other + half], 1) / np.sqrt(2), np.float32)


def _agreeing(both: Float) -> Float:
    """Pull a part and its twin [T, 2 D] together, so that two eyes of different frames agree.

    Where they differ by little, as by chance, both take their average, and so choose the same frames.
    """
    own, other = np.split(both, 2, 1)
    half = (own - other) / 2
    apart = np.linalg.norm(half, axis=1, keepdims=True)
    own_target = (own + other) / 2 + smoothstep((apart - _ALIKE) / _ALIKE) * half
    return np.concatenate([own_target, own_target], 1)
