"""The inside of the mouth: whose teeth are seen, and in what colours."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from nodes.align import Alignment, align
from nodes.align.pose import take_performance
from nodes.definitions import AlignParameters, Mouth, SwapParameters
from nodes.geometry.sampling import crop
from nodes.subjects.subject import load_subject
from nodes.swap.reference import ReferenceTrack, plan_reference
from nodes.swap.reference.choice import Choice
from nodes.swap.reference.gallery import Reference
from nodes.swap.reference.inside import filled_openings, plate_share
from nodes.swap.reference.plan import choose_references
from nodes.swap.reference.source import Source, take_source
from nodes.swap.reference.surface import surface_of

FACE = load_subject()
SURFACE = surface_of(FACE)
(LIPS,) = filled_openings(FACE)
SIZE = 256
JAW = FACE.coefficients.names.index("jawOpen")


@pytest.fixture(scope="module")
def alignment(plate_faces) -> Alignment:
    return align(plate_faces, AlignParameters(size=SIZE)).crops[0]


@pytest.fixture(scope="module")
def taken(source, source_faces) -> Source:
    return take_source(source, source_faces)


def part_of(taken: Source, rows: np.ndarray) -> Source:
    return replace(
        taken,
        frames=taken.frames[rows],
        landmarks=taken.landmarks[rows],
        performance=taken.performance[rows],
        penalty=taken.penalty[rows],
    )


@pytest.fixture(scope="module")
def silent(taken) -> Source:
    """The source's frames in which the mouth is shut."""
    return part_of(taken, np.flatnonzero(taken.performance.coefficients[:, JAW] < 0.05))


@pytest.fixture(scope="module")
def tracks(alignment, silent) -> dict[Mouth, ReferenceTrack]:
    """The plate as the silent source plays it."""
    return {m: plan_reference([alignment], silent, SwapParameters(mouth=m))[0] for m in Mouth}


@pytest.fixture(scope="module")
def frames(tracks) -> dict[str, int]:
    """A frame in which the plate's mouth is open, and one in which it is shut as the source's is."""
    share = tracks[Mouth.AUTO].insides[0]
    return {"open": int(share.argmax()), "shut": int(share.argmin())}


def own(alignment: Alignment, plate, t: int, landmarks: np.ndarray | None = None) -> Reference:
    """The plate's face in a crop."""
    points = alignment.landmarks[t] if landmarks is None else landmarks
    image = crop(plate.frame(t).rgb8(), alignment.to_plate[t : t + 1], SIZE)[0]
    return Reference(image, SURFACE.extend(points, picture=True)[:, :2])


def lips(vertices: np.ndarray, grown: int = 0) -> np.ndarray:
    """Pixels between the lips, [SIZE, SIZE], grown by so many."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(vertices[LIPS.contour, :2]).astype(np.int32)], 1)
    return cv2.dilate(mask, np.ones((2 * grown + 1,) * 2)) > 0


def test_of_a_face_the_mouth_alone_may_be_the_plate_s_and_of_a_hand_nothing():
    assert (LIPS.name, LIPS.fill) == ("mouth", "mouth")
    assert filled_openings(load_subject("hand")) == ()


# ---- whose it is


def test_auto_is_the_plate_s_where_the_expressions_are_apart_and_the_source_s_where_they_agree(alignment, silent):
    plate = take_performance(alignment.track.landmarks, FACE, 9)
    choices = choose_references(plate, silent, SwapParameters())
    share = plate_share(LIPS, plate, silent.performance, choices, FACE, Mouth.AUTO)
    assert share.shape == (80,) and share.min() == 0 and share.max() == 1
    height = LIPS.height(plate.shape)
    assert share[height > np.percentile(height, 90)].min() == 1, "the silent source never opened its mouth like that"
    assert np.median(share[height < np.percentile(height, 25)]) == 0
    assert np.abs(np.diff(share)).max() < 0.75, "from frame to frame it changes softly"
    for mouth, wanted in ((Mouth.SOURCE, 0), (Mouth.PLATE, 1)):
        assert (plate_share(LIPS, plate, silent.performance, choices, FACE, mouth) == wanted).all()


def each_shows(count: int) -> tuple[Choice, ...]:
    """Every frame shows the frame of the same number, in all parts."""
    return (Choice(np.arange(count)[:, None], np.ones((count, 1), np.float32)),) * len(FACE.parts)


def test_a_mouth_that_is_shown_as_it_is_performed_needs_no_other(taken):
    own = taken.performance
    assert not plate_share(LIPS, own, own, each_shows(len(own.shape)), FACE, Mouth.AUTO).any()


def test_the_eyes_expression_says_nothing_about_the_mouth(taken):
    own = taken.performance
    winking, talking = own.coefficients.copy(), own.coefficients.copy()
    winking[:, FACE.parts[0].coefficients] = 1
    talking[:, JAW] += 0.4
    for coefficients, wanted in ((winking, 0), (talking, 1)):
        other = replace(own, coefficients=coefficients)
        assert (plate_share(LIPS, other, own, each_shows(len(own.shape)), FACE, Mouth.AUTO) == wanted).all()


# ---- pixels


@pytest.mark.parametrize("when", ["open", "shut"])
def test_source_never_takes_a_pixel_of_the_plate(alignment, plate, tracks, frames, when):
    t, track = frames[when], tracks[Mouth.SOURCE]
    vertices = alignment.to_crop(track.vertices)[t]
    without, _ = track.render(t, vertices, SIZE)
    garish = replace(own(alignment, plate, t), image=np.full((SIZE, SIZE, 3), (0, 255, 0), np.uint8))
    for picture in (own(alignment, plate, t), garish):
        np.testing.assert_array_equal(track.render(t, vertices, SIZE, picture)[0], without)


@pytest.mark.parametrize("when", ["open", "shut"])
def test_plate_always_does_and_between_the_lips_alone(alignment, plate, tracks, frames, when):
    t, track = frames[when], tracks[Mouth.PLATE]
    vertices = alignment.to_crop(track.vertices)[t]
    without, _ = track.render(t, vertices, SIZE)
    change = np.abs(track.render(t, vertices, SIZE, own(alignment, plate, t))[0] - without).max(2)
    assert change[lips(vertices)].max() > 0.02
    assert change[~lips(vertices, 4)].max() < 1e-3


def test_auto_does_where_it_is_needed(alignment, plate, tracks, frames):
    for when, like in (("open", Mouth.PLATE), ("shut", Mouth.SOURCE)):
        t = frames[when]
        vertices = alignment.to_crop(tracks[Mouth.AUTO].vertices)[t]
        found, wanted = (tracks[m].render(t, vertices, SIZE, own(alignment, plate, t))[0] for m in (Mouth.AUTO, like))
        np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_what_is_inside_is_toned_as_the_skin_of_the_new_face_is(alignment, plate):
    """Grey teeth of the plate in a face that is warmer and darker are warmer and darker."""
    size, large = 512, alignment.at(512)
    t = int(take_performance(alignment.track.landmarks, FACE).coefficients[:, JAW].argmax())
    points, tint = large.landmarks[t], np.float32([0.8, 0.6, 0.5])
    vertices, places = SURFACE.extend(points), SURFACE.extend(points, picture=True)[:, :2]
    skin = np.clip(np.random.default_rng(0).normal(160, 6, (size, size, 1)), 0, 255).repeat(3, 2)
    mouth = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mouth, [np.round(points[LIPS.contour, :2]).astype(np.int32)], 1)
    teeth = np.where(mouth[..., None] > 0, np.clip(skin + 40, 0, 255), skin)
    choice = Choice(np.zeros((1, 1), np.int64), np.ones((1, 1), np.float32))
    coefficients = np.zeros((1, 52), np.float32)
    theirs, mine = (Reference(np.round(image).astype(np.uint8), places) for image in (teeth, skin * tint))
    track = ReferenceTrack(FACE, vertices[None], (choice,) * 4, {0: mine}, coefficients, coefficients)
    well = cv2.distanceTransform(mouth, cv2.DIST_L2, 5) >= 6
    assert well.sum() > 50
    for share, shade in ((0, 160), (1, 200)):
        image, _ = replace(track, insides=(np.full(1, share, np.float32),)).render(0, vertices, size, theirs)
        np.testing.assert_allclose(image[well].mean(0), shade / 255 * tint, atol=0.03)


def test_half_a_share_is_half_of_it(alignment, plate, tracks, frames):
    t = frames["open"]
    vertices = alignment.to_crop(tracks[Mouth.PLATE].vertices)[t]
    source, half, whole = (
        replace(tracks[Mouth.PLATE], insides=(np.full(80, share, np.float32),)).render(
            t, vertices, SIZE, own(alignment, plate, t)
        )[0]
        for share in (0, 0.5, 1)
    )
    np.testing.assert_allclose(half, (source + whole) / 2, atol=0.003)


def test_a_mouth_outside_the_crop_is_no_error(alignment, plate, tracks, frames):
    t, track = frames["open"], tracks[Mouth.PLATE]
    vertices = alignment.to_crop(track.vertices)[t]
    for shift in ([0, 150, 0], [0, 5000, 0], [-130, 0, 0]):
        image, visible = track.render(t, vertices + np.float32(shift), SIZE, own(alignment, plate, t))
        assert np.isfinite(image[visible > 0]).all()
