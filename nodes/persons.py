"""Persons: the tracks of footage grouped by whose face they follow, across cuts, losses and crossings."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

from nodes.cache import cache_folder, digest_footage, key_of
from nodes.definitions import DetectParameters
from nodes.detect import detect, main_tracks
from nodes.detect.files import load_arrays, save_arrays
from nodes.errors import ConsentError, FaceplateError
from nodes.footage.footage import Footage
from nodes.geometry.similarity import fit_similarity
from nodes.recognise import NETWORK, describe
from nodes.runtime import read_manifest
from nodes.subjects.subject import load_subject
from nodes.text import own_command
from nodes.types import Bool, Faces, Float, Int, Track

# Distances of mean descriptors. Of three looks each, over twelve clips and thirteen people: one person's at most 0.45, two people's at least 0.51.
ONE_PERSON, TWO_PERSONS = 0.47, 0.55
_LOOKS, _CHOICE = 5, 4  # frames of a track that are described, each the most frontal of so many
_FRAMES_A_LOOK = 8  # a shorter track has fewer
_KEPT = 0.75  # part of a track's looks whose mean counts: those nearest to their median
_SAMPLE = 24  # frames of footage by which its main person is known
_SCHEMA = "faceplate.looks/1"


@dataclass(frozen=True, slots=True, eq=False)
class ShotPerson:
    """One person in footage.

    number: 0 for the person with the largest presence, and so on. tracks: ids, in order of time. descriptor: mean of the person's tracks, [128].
    perhaps: numbers of the persons who may be the same one, too alike to tell.
    """

    number: int
    tracks: tuple[int, ...]
    descriptor: Float
    perhaps: tuple[int, ...] = ()


def find_persons(
    footage: Footage, faces: Faces, same: Iterable[Sequence[int]] = (), apart: Iterable[Sequence[int]] = ()
) -> tuple[ShotPerson, ...]:
    """Group the tracks of footage into persons, the one with the largest presence first.

    same, apart: ids of tracks that are one person, or are not, whatever they look like. Two tracks at one time are two persons. Raises
    FootageError, and FaceplateError for ids that do not exist or that contradict each other.
    """
    return group(faces.tracks, describe_tracks(footage, faces), same, apart)


def main_person(footage: Footage, faces: Faces) -> list[Track]:
    """Choose the tracks of the person with the largest presence, in order of time; of other subjects, one track at a time. Raises FootageError."""
    if faces.subject != "face" or len(faces.tracks) < 2:
        return main_tracks(faces)
    by_id = {track.id: track for track in faces.tracks}
    return [by_id[id] for id in find_persons(footage, faces)[0].tracks]


def person_like(footage: Footage, faces: Faces, known: Footage, named: Sequence[int] = ()) -> list[Track]:
    """Choose the tracks of the person who is the main person of other footage, in order of time. Raises ConsentError where nobody looks like that.

    named: ids of tracks that the user says are this person's; they are chosen unless they clearly are another's. Between `ONE_PERSON` and
    `TWO_PERSONS` nobody can tell, and without them the error asks.
    """
    wanted, by_id = main_descriptor(known), {track.id: track for track in faces.tracks}
    if wanted is None:
        raise ConsentError(
            "shows no face to compare with", file=known.info.path, remedy="Register other footage of this performer"
        )
    apart = {person: float(np.linalg.norm(person.descriptor - wanted)) for person in find_persons(footage, faces)}
    name, sheet = known.info.path.name, own_command("detect", str(footage.info.path), "--sheet", "who.png")
    for person, distance in apart.items():
        if others := [id for id in person.tracks if id in named and distance > TWO_PERSONS]:
            raise ConsentError(
                f"track {others[0]} shows somebody else than the performer in {name}",
                file=footage.info.path,
                remedy=f"Name the right performer, or other tracks; see who is who: {sheet}",
            )
    if named:
        return [by_id[id] for id in named]
    if min(apart.values()) > ONE_PERSON:
        nobody = min(apart.values()) > TWO_PERSONS
        raise ConsentError(
            f"shows nobody who looks like the performer in {name}"
            if nobody
            else f"may show the performer in {name}, but the faces are too unlike to be sure",
            file=footage.info.path,
            remedy=f"Name the right performer; see who is there: {sheet}"
            if nobody
            else f"If it is so, name the performer's tracks with --track; see who is who: {sheet}",
        )
    chosen: list[Track] = []
    for person in sorted(apart, key=lambda person: apart[person]):
        tracks = [by_id[id] for id in person.tracks]
        if apart[person] <= ONE_PERSON and not any(_share_a_frame(a, b) for a in tracks for b in chosen):
            chosen += tracks
    return sorted(chosen, key=lambda track: int(track.frames[0]))


def main_descriptor(footage: Footage) -> Float | None:
    """Describe the main person of footage by a sample of its frames, [128]; None where no face is found. Kept in the cache. Raises FootageError."""
    file = None
    with suppress(FaceplateError, KeyError):
        key = key_of(
            footage=digest_footage(footage.info.path), network=read_manifest()[NETWORK]["sha256"], sample=_SAMPLE
        )
        file = cache_folder() / "persons" / f"{key}.npz"
        return np.asarray(load_arrays(file, _SCHEMA)[1]["main"], np.float32)
    last = footage.info.frames - 1
    frames = np.unique(np.linspace(0, last, _SAMPLE).round().astype(int)).tolist()
    found = [track for frame in frames for track in detect(footage, DetectParameters(), frame, frame).tracks]
    if not found:
        return None
    tracks = tuple(replace(track, id=number) for number, track in enumerate(found))
    info = footage.info
    main = find_persons(footage, Faces(info.width, info.height, info.rate, 0, info.frames, (), tracks))[0]
    if file:
        with suppress(FaceplateError, OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(file, {"schema": _SCHEMA}, {"main": main.descriptor})
    return main.descriptor


def presence(track: Track) -> float:
    """Measure how much of a face is seen: the height of its boxes in pixels, summed over its frames."""
    return float((track.boxes[:, 3] - track.boxes[:, 1]).sum())


def group(
    tracks: Sequence[Track],
    descriptors: Mapping[int, Float],
    same: Iterable[Sequence[int]] = (),
    apart: Iterable[Sequence[int]] = (),
) -> tuple[ShotPerson, ...]:
    """Group tracks by their descriptors, [128] by id: average linkage up to `ONE_PERSON`. Arguments and errors as of `find_persons`."""
    if not tracks:
        return ()
    row_of = {track.id: row for row, track in enumerate(tracks)}
    described = np.stack([descriptors[track.id] for track in tracks])
    distances = np.asarray(cdist(described, described), np.float64)
    barred = _at_one_time(tracks)
    joined, parted = ([tuple(_row(row_of, id) for id in ids) for ids in several] for several in (same, apart))
    for rows in parted:
        barred[np.ix_(rows, rows)] |= ~np.eye(len(rows), dtype=bool)
    members = [[row] for row in range(len(tracks))]
    alive = np.ones(len(tracks), bool)

    def join(a: int, b: int) -> None:
        if a == b:
            return
        share = len(members[a]) / (len(members[a]) + len(members[b]))
        distances[a] = distances[:, a] = share * distances[a] + (1 - share) * distances[b]
        barred[a] |= barred[b]
        barred[:, a] = barred[a]
        members[a] += members[b]
        alive[b] = False

    for those in joined:
        for row in those[1:]:
            first, second = (next(i for i, m in enumerate(members) if alive[i] and r in m) for r in (those[0], row))
            if barred[first, second]:
                ids = " and ".join(str(tracks[r].id) for r in (those[0], row))
                raise FaceplateError(
                    f"the tracks {ids} cannot be one person: they are seen at one time, or were said to be two",
                    remedy="Name other tracks with --same",
                )
            join(first, second)
    while True:
        free = np.where(barred | ~alive | ~alive[:, None] | np.eye(len(tracks), dtype=bool), np.inf, distances)
        a, b = np.unravel_index(int(free.argmin()), free.shape)
        if free[a, b] > ONE_PERSON:
            break
        join(int(a), int(b))
    left = sorted(np.flatnonzero(alive).tolist(), key=lambda row: -sum(presence(tracks[m]) for m in members[row]))
    number_of = {row: number for number, row in enumerate(left)}
    return tuple(
        ShotPerson(
            number_of[row],
            tuple(tracks[m].id for m in sorted(members[row], key=lambda m: int(tracks[m].frames[0]))),
            described[members[row]].mean(0),
            tuple(sorted(number_of[other] for other in left if free[row, other] <= TWO_PERSONS)),
        )
        for row in left
    )


def describe_tracks(footage: Footage, faces: Faces) -> dict[int, Float]:
    """Describe each track by some of its frontal frames, [128] by id; kept in the cache. Raises FootageError."""
    rows = {track.id: looks_of(track) for track in faces.tracks}
    file = None
    with suppress(FaceplateError, KeyError):  # footage in memory is not kept
        file = cache_folder() / "persons" / f"{_key(footage, faces, rows)}.npz"
        _, arrays = load_arrays(file, _SCHEMA)
        return dict(zip(arrays["ids"].tolist(), arrays["descriptors"], strict=True))
    by_frame: dict[int, list[tuple[Track, int]]] = defaultdict(list)
    for track in faces.tracks:
        for row in rows[track.id].tolist():
            by_frame[int(track.frames[row])].append((track, row))
    looks: dict[int, list[Float]] = defaultdict(list)
    for frame, seen in sorted(by_frame.items()):
        found = describe(footage.frame(frame).rgb8(), np.stack([track.landmarks[row] for track, row in seen]))
        for (track, _), descriptor in zip(seen, found, strict=True):
            looks[track.id].append(descriptor)
    descriptors = {id: robust_mean(np.stack(several)) for id, several in looks.items()}
    if descriptors and file:
        with suppress(FaceplateError, OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            arrays = {"ids": np.array(list(descriptors)), "descriptors": np.stack(list(descriptors.values()))}
            save_arrays(file, {"schema": _SCHEMA}, arrays)
    return descriptors


def robust_mean(descriptors: Float) -> Float:
    """Return the mean of the descriptors [N, 128] that are nearest to their median."""
    apart = np.linalg.norm(descriptors - np.median(descriptors, 0), axis=1)
    nearest = np.argsort(apart)[: max(int(np.ceil(_KEPT * len(apart))), 1)]
    return np.asarray(descriptors[nearest].mean(0), np.float32)


def looks_of(track: Track) -> Int:
    """Choose some rows of a face's track: spread over it, each the most frontal of a few, away from its ends, where faces enter and leave."""
    rows = np.flatnonzero(track.scores > 0)
    count = min(_LOOKS, 1 + len(rows) // _FRAMES_A_LOOK)
    margin = len(rows) // 10
    inner = rows[margin : len(rows) - margin]
    tried = inner[np.unique(np.linspace(0, len(inner) - 1, count * _CHOICE).round().astype(int))]
    face = load_subject("face")
    ahead = fit_similarity(face.template[None], track.landmarks[tried], face.weights)[1][:, 2, 2]
    parts = np.array_split(np.arange(len(tried)), count)
    return np.array([tried[part[np.argmax(ahead[part])]] for part in parts if len(part)])


def _share_a_frame(one: Track, other: Track) -> bool:
    return bool(one.frames[0] <= other.frames[-1] and other.frames[0] <= one.frames[-1])


def _at_one_time(tracks: Sequence[Track]) -> Bool:
    """Tell which tracks share a frame, [N, N]."""
    first, last = (np.array([int(track.frames[end]) for track in tracks]) for end in (0, -1))
    return np.asarray((first[:, None] <= last) & (first <= last[:, None]) & ~np.eye(len(tracks), dtype=bool), bool)


def _row(row_of: Mapping[int, int], id: int) -> int:
    if id not in row_of:
        raise FaceplateError(f"there is no track {id}", remedy=f"There are: {', '.join(map(str, row_of))}")
    return row_of[id]


def _key(footage: Footage, faces: Faces, rows: Mapping[int, Int]) -> str:
    digest = hashlib.sha256()
    for track in faces.tracks:
        digest.update(np.ascontiguousarray(track.frames[rows[track.id]]).tobytes())
        digest.update(np.ascontiguousarray(track.landmarks[rows[track.id]]).tobytes())
    network = read_manifest()[NETWORK]["sha256"]
    return key_of(footage=digest_footage(footage.info.path), looks=digest.hexdigest(), network=network)
