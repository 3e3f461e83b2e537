"""Persons: the same face is one group over all cuts, two faces are never one, and what cannot be told is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes.detect import detect
from nodes.errors import FaceplateError
from nodes.footage.footage import Footage
from nodes.persons import ONE_PERSON, TWO_PERSONS, ShotPerson, find_persons, group, main_person, robust_mean
from nodes.types import Faces, Float, Track
from tests.support.clips import pictures
from tests.support.memory import clip_of


def track(id: int, first: int, length: int = 10, height: float = 100) -> Track:
    frames = np.arange(first, first + length)
    boxes = np.tile(np.float32([0, 0, height, height]), (length, 1))
    return Track(id, frames, boxes, np.ones(length, np.float32), np.zeros((length, 478, 3), np.float32))


def at(*places: float) -> dict[int, Float]:
    """Descriptors by id, so far apart as places on a line."""
    return {id: np.float32([place, *[0] * 127]) for id, place in enumerate(places)}


def tracks_of(persons: tuple[ShotPerson, ...]) -> list[tuple[int, ...]]:
    return [person.tracks for person in persons]


@pytest.fixture(scope="module")
def cut(samples: Path, plate_pictures) -> tuple[Footage, Faces]:
    """Five shots of two men in turn, and their faces: a, b, a, b, a."""
    theirs = list(pictures(samples / "franck.mp4", 100, 30, (400, 300)))
    parts = (plate_pictures[:9], theirs[:6], plate_pictures[70:80], theirs[20:23], plate_pictures[40:42])
    clip = clip_of([picture for part in parts for picture in part])
    return clip, detect(clip)


def test_a_person_is_followed_across_cuts(cut) -> None:
    footage, faces = cut
    first = {t.id: int(t.frames[0]) for t in faces.tracks}
    persons = find_persons(footage, faces)
    assert [[first[id] for id in person.tracks] for person in persons] == [[0, 15, 28], [9, 25]]
    assert [person.perhaps for person in persons] == [(), ()]
    assert [int(t.frames[0]) for t in main_person(footage, faces)] == [0, 15, 28]


def test_what_the_user_says_counts_more_than_what_faces_look_like(cut) -> None:
    footage, faces = cut
    id_at = {int(t.frames[0]): t.id for t in faces.tracks}
    persons = find_persons(footage, faces, same=[(id_at[0], id_at[9])], apart=[(id_at[0], id_at[28])])
    first = {t.id: int(t.frames[0]) for t in faces.tracks}
    assert sorted([first[id] for id in person.tracks] for person in persons)[0][:2] == [0, 9]
    assert all(not {id_at[0], id_at[28]} <= set(person.tracks) for person in persons)


def test_two_faces_of_one_time_are_two_persons_however_alike() -> None:
    twins = [track(0, 0, 30), track(1, 0, 10), track(2, 40)]
    assert tracks_of(group(twins, at(0, 0.1, 0.05))) in ([(0, 2), (1,)], [(0,), (1, 2)])
    with pytest.raises(FaceplateError, match="0 and 1 cannot be one person"):
        group(twins, at(0, 0.1, 0.05), same=[(0, 1)])


def test_what_is_too_alike_to_tell_is_no_group_but_said() -> None:
    tracks = [track(0, 0, 30), track(1, 40, 20), track(2, 80)]
    middle = (ONE_PERSON + TWO_PERSONS) / 2
    persons = group(tracks, at(0, middle, 2 * middle))
    assert tracks_of(persons) == [(0,), (1,), (2,)]
    assert [person.perhaps for person in persons] == [(1,), (0, 2), (1,)]


def test_the_largest_presence_is_first_and_groups_are_by_mean_distance() -> None:
    tracks = [track(0, 0), track(1, 20), track(2, 40, height=300), track(3, 60)]
    persons = group(tracks, at(0, 0.3, 2, 0.65))
    assert persons[0].tracks == (2,) and tracks_of(persons)[1:] == [(0, 1), (3,)], "0.65 is 0.5 from the mean of two"
    assert group([], {}) == ()


def test_a_track_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FaceplateError, match="there is no track 7") as e:
        group([track(0, 0)], at(0), same=[(0, 7)])
    assert e.value.remedy == "There are: 0"


def test_one_odd_look_does_not_count() -> None:
    looks = np.zeros((5, 128), np.float32)
    looks[2] = 1
    assert not robust_mean(looks).any()
