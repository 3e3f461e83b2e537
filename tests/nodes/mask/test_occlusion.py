"""What is in front of the face stays in front of it: in the plate, and in the source's frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from nodes.align import align
from nodes.definitions import ColourMatch, Glasses, MaskParameters, MattePart, SwapParameters
from nodes.errors import FaceplateError, FootageError, ModelError, SchemaError
from nodes.footage.footage import Footage
from nodes.footage.patch_files import write_matte
from nodes.mask import Mattes
from nodes.mask.classes import CLASSES
from nodes.mask.hands import draw_hands
from nodes.mask.occluder import Reading, load_occluder
from nodes.mask.painted import read_painted
from nodes.mask.visibility import refined, steady
from nodes.subjects.subject import load_subject
from nodes.swap import in_plate, swap
from nodes.types import Faces, Float, Patch, Roi
from tests.support.memory import clip_of
from tests.support.occluders import SIDE, blue_occluder

FACE = load_subject("face")
COUNT = 6


@pytest.fixture(scope="module")
def occluder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blue_occluder(tmp_path_factory.mktemp("occluder"))


def covered(footage: Footage, faces: Faces, share: float = 0.3, every: int = 1) -> tuple[Footage, np.ndarray]:
    """The first frames with something blue over a side of the face, every so many, and where it is, [T, H, W]."""
    track = faces.tracks[0]
    frames, where = [], []
    for frame, landmarks in zip(footage.frames(0, COUNT - 1), track.landmarks, strict=False):
        picture = frame.rgb8().copy()
        x0, y0 = landmarks[:, :2].min(0)
        x1, y1 = landmarks[:, :2].max(0)
        hidden = np.zeros(picture.shape[:2], bool)
        if frame.index % every == 0:
            hidden[int(y0) : int(y1), int(x0) : int(x0 + share * (x1 - x0))] = True
        picture[hidden] = 20, 40, 230
        frames.append(picture)
        where.append(hidden)
    return clip_of(frames), np.stack(where)


def first(faces: Faces) -> Faces:
    track = faces.tracks[0]
    cut = replace(track, **{k: getattr(track, k)[:COUNT] for k in ("frames", "boxes", "scores", "landmarks")})
    return replace(faces, count=COUNT, tracks=(cut,))


def whole(patch: Patch, shape: tuple[int, int]) -> Float:
    out = np.zeros((*shape, 4), np.float32)
    out[patch.roi.slices] = patch.rgba
    return out


def mattes_of(footage: Footage, mattes: Mattes) -> Float:
    shape = (footage.info.height, footage.info.width)
    return np.stack([whole(patch, shape)[..., 3] for _, patch in in_plate(mattes, footage).patches(footage.frames())])


def test_the_matte_ends_at_what_is_in_front(plate: Footage, plate_faces: Faces, occluder: Path) -> None:
    footage, hidden = covered(plate, plate_faces)
    crops = align(first(plate_faces)).crops
    off, half, on = (
        mattes_of(footage, Mattes(crops, MaskParameters(occlusion=strength, occluder=occluder)))
        for strength in (0, 0.5, 1)
    )
    inside = np.stack([np.asarray(h, bool) for h in hidden]) & (off > 0.5)
    assert off[inside].mean() > 0.8 and on[inside].mean() < 0.02
    assert half[inside].mean() == pytest.approx(off[inside].mean() / 2, rel=0.1)
    clear = ~hidden & (off > 0)
    assert np.abs(on - off)[clear].mean() < 0.02
    untouched = plate.frame(0).rgb8()
    assert not (untouched[..., 2] > 200).all(-1).any()


def test_a_clear_face_keeps_its_matte_bit_for_bit(plate: Footage, plate_faces: Faces, occluder: Path) -> None:
    crops = align(first(plate_faces)).crops
    footage = clip_of([frame.rgb8() for frame in plate.frames(0, COUNT - 1)])
    off, on = (
        mattes_of(footage, Mattes(crops, MaskParameters(occlusion=strength, occluder=occluder))) for strength in (0, 1)
    )
    np.testing.assert_array_equal(on, off)


def test_the_composite_is_the_plate_where_something_is_in_front(
    plate: Footage, plate_faces: Faces, source: Footage, source_faces: Faces, occluder: Path
) -> None:
    footage, hidden = covered(plate, plate_faces)
    crops = align(first(plate_faces)).crops
    mattes = Mattes(crops, MaskParameters(occluder=occluder))
    plan = swap(None, crops, mattes, SwapParameters(), source, source_faces)
    for frame, patch in plan.patches(footage.frames()):
        rows, columns = np.nonzero(hidden[frame.index])
        inner = np.zeros_like(hidden[0])
        inner[rows.min() + 4 : rows.max() - 3, columns.min() + 4 : columns.max() - 3] = True
        np.testing.assert_array_equal(frame.over(patch).rgb8()[inner], frame.rgb8()[inner])


def test_source_frames_in_which_a_part_is_hidden_are_not_used(
    plate: Footage, plate_faces: Faces, source: Footage, source_faces: Faces, occluder: Path
) -> None:
    footage, _ = covered(source, source_faces, share=0.5, every=2)
    crops = align(first(plate_faces)).crops
    parameters = SwapParameters(colour=ColourMatch.NONE, light=0, wrinkles=0)
    shown = []
    for strength in (0, 1):
        mattes = Mattes(crops, MaskParameters(occlusion=strength, occluder=occluder))
        plan = swap(None, crops, mattes, parameters, footage, first(source_faces))
        _, patch = next(iter(plan.patches(plate.frames(0, 0))))
        seen = patch.rgba[..., 3] > 0.5
        blue = patch.rgba[..., 2] > 2 * patch.rgba[..., 0]
        shown.append(float((blue & seen).mean()))
    assert shown[0] > 0.05 and shown[1] == 0


def test_where_all_source_frames_are_hidden_the_plate_keeps_its_own_skin(
    plate: Footage, plate_faces: Faces, source: Footage, source_faces: Faces, occluder: Path
) -> None:
    footage, _ = covered(source, source_faces)
    crops = align(first(plate_faces)).crops
    parameters = SwapParameters(colour=ColourMatch.NONE, light=0, wrinkles=0)
    mattes = Mattes(crops, MaskParameters(occluder=occluder))
    plan = swap(None, crops, mattes, parameters, footage, first(source_faces))
    alone = swap(None, crops, Mattes(crops, MaskParameters(occlusion=0)), parameters, footage, first(source_faces))
    (_, patch), (_, blind) = (next(iter(p.patches(plate.frames(0, 0)))) for p in (plan, alone))
    colour = patch.rgba[..., :3] / np.maximum(patch.rgba[..., 3:], 1e-3)
    seen = patch.rgba[..., 3] > 0.05
    assert not (seen & (colour[..., 2] > 1.5 * colour[..., 0])).any()
    assert 0.5 < patch.rgba[..., 3].sum() / blind.rgba[..., 3].sum() < 0.95


def test_an_edge_of_the_picture_becomes_the_edge_of_the_matte() -> None:
    picture = np.full((200, 200, 3), 0.7, np.float32)
    picture[:, 103:] = 0.4
    share = np.ones((50, 50), np.float32)
    share[:, 27:] = 0  # the edge is at 25.75 of the small grid
    share[:, 25:27] = 0.5
    found = refined(share, picture)
    assert (found[:, :102] > 0.98).all() and (found[:, 113:] < 0.02).all()
    assert (refined(share, picture, strict=True)[:, 104:] < 0.02).all()


def test_time_steadies_what_does_not_move_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(0.5 + 0.2 * rng.standard_normal((40, 40)), 0, 1).astype(np.float32) for _ in range(5)]
    still, cut = [np.full((40, 40), 0.5, np.float32)] * 5, [np.full((40, 40), 0.15 * k, np.float32) for k in range(5)]
    assert steady(noisy, still, 2).std() < 0.6 * noisy[2].std()
    np.testing.assert_allclose(steady(noisy, cut, 2), noisy[2], atol=0.02)


@pytest.mark.parametrize("glasses", list(Glasses))
def test_glasses_are_the_plates_or_the_sources(glasses: Glasses, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = np.zeros((1, len(CLASSES), 2, 2), np.float32)
    classes[:, CLASSES.index("glasses"), 0] = 1
    classes[:, CLASSES.index("face"), 1] = 1
    mattes = Mattes((), MaskParameters(glasses=glasses))
    reads = Reading(classes, classes[:, :0])
    monkeypatch.setattr(Mattes, "read", lambda *_, **__: reads)
    replaced, worn = (replace(mattes, source_wears_glasses=w).plate_shares([], [], FACE) for w in (False, True))
    assert replaced is not None and worn is not None
    assert (replaced[:, 1] == 1).all() and (worn[:, 1] == 1).all()
    assert (replaced[:, 0] == (glasses is Glasses.SOURCE)).all()
    assert (worn[:, 0] == (glasses is not Glasses.PLATE)).all()
    assert (mattes.source_shares(classes)[:, 0] == (glasses is not Glasses.PLATE)).all()


def test_networks_of_many_layouts_say_the_same(tmp_path: Path, plate: Footage, plate_faces: Faces) -> None:
    crop = plate.frame(0).rgb8()[:256, :256]
    landmarks = plate_faces.tracks[0].landmarks[0]
    usual = load_occluder(FACE, blue_occluder(tmp_path / "usual"))
    turned = load_occluder(FACE, blue_occluder(tmp_path / "turned", colour="bgr", mean=[0, 0, 0], std=[255] * 3))
    swapped = load_occluder(FACE, blue_occluder(tmp_path / "swapped", classes={"hand": [1], "face": [0]}))
    assert usual and turned and swapped
    shares = usual.read([crop], [landmarks], FACE).classes
    assert shares.shape == (1, len(CLASSES), SIDE, SIDE)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(shares, swapped.read([crop], [landmarks], FACE).classes)
    mirrored = turned.read([np.ascontiguousarray(crop[..., ::-1])], [landmarks], FACE).classes
    np.testing.assert_array_equal(shares, mirrored)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"classes": {"hair": [0]}}, SchemaError, "no channel of the face is named"),
        ({"classes": {"face": [7]}}, ModelError, "does not fit its description"),
        ({"size": [64, 64]}, ModelError, "does not fit its description"),
        ({"output": "masks"}, ModelError, "does not fit its description"),
        ({"schema": "faceplate.occluder/2"}, SchemaError, "newer"),
        ({"std": [0, 1, 1]}, SchemaError, "greater than 0"),
    ],
)
def test_a_description_that_is_wrong_is_refused_at_once(
    tmp_path: Path, changes: dict[str, object], error: type[FaceplateError], said: str
) -> None:
    with pytest.raises(error, match=said):
        load_occluder(FACE, blue_occluder(tmp_path, **changes))


def test_a_network_without_a_description_is_refused(tmp_path: Path) -> None:
    path = blue_occluder(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(SchemaError, match=r"blue\.json.*does not exist"):
        load_occluder(FACE, path)


def test_subjects_without_a_network_are_masked_as_before(tmp_path: Path) -> None:
    hand = load_subject("hand")
    assert load_occluder(hand) is None
    assert Mattes((), MaskParameters()).read([np.zeros((32, 32, 3), np.float32)], [hand.template], hand) is None


def test_mattes_painted_for_two_frames_hold_for_the_others(
    plate: Footage, plate_faces: Faces, occluder: Path, tmp_path: Path
) -> None:
    footage, hidden = covered(plate, plate_faces)
    # The network looks for blue; green is new to it.
    green = clip_of([np.ascontiguousarray(frame.rgb8()[..., [0, 2, 1]]) for frame in footage.frames()])
    for position in (0, COUNT - 1):
        matte = np.where(hidden[position], np.float32(0), np.float32(1))
        height, width = matte.shape
        write_matte(
            tmp_path / f"painted.{green.info.first + position:04d}.exr", matte, Roi(0, 0, width, height), width, height
        )
    crops = align(first(plate_faces)).crops
    alone, taught = (
        mattes_of(green, Mattes(crops, MaskParameters(occluder=occluder, painted=painted)))
        for painted in (None, tmp_path)
    )
    between = np.zeros_like(hidden)
    between[1:-1] = hidden[1:-1]
    assert alone[between].mean() > 0.3 and taught[between].mean() < 0.05 * alone[between].mean()
    clear = ~hidden & (alone > 0.9)
    assert taught[clear].mean() > 0.95


@pytest.mark.parametrize(
    ("size", "number", "said"), [((8, 8), 0, "is 8x8, the plate"), (None, 9999, "is of frame 9999")]
)
def test_painted_mattes_that_do_not_fit_are_refused(
    plate: Footage, plate_faces: Faces, tmp_path: Path, size: tuple[int, int] | None, number: int, said: str
) -> None:
    width, height = size or (plate.info.width, plate.info.height)
    write_matte(
        tmp_path / f"p.{number:04d}.exr", np.ones((height, width), np.float32), Roi(0, 0, width, height), width, height
    )
    with pytest.raises(FootageError, match=said):
        read_painted(tmp_path, plate)
    (tmp_path / f"p.{number:04d}.exr").unlink()
    with pytest.raises(FootageError, match="no painted mattes"):
        read_painted(tmp_path, plate)


def test_the_parts_of_a_matte_can_be_seen_one_by_one(plate: Footage, plate_faces: Faces, occluder: Path) -> None:
    footage, hidden = covered(plate, plate_faces)
    crops = align(first(plate_faces)).crops
    shown = {
        part: mattes_of(footage, Mattes(crops, MaskParameters(occluder=occluder, part=part))) for part in MattePart
    }
    off = mattes_of(footage, Mattes(crops, MaskParameters(occlusion=0)))
    np.testing.assert_array_equal(shown[MattePart.REGIONS], off)
    inside = hidden & (off > 0)
    assert shown[MattePart.HAND][inside].mean() > 0.9 and shown[MattePart.VISIBLE][inside].mean() < 0.1
    assert shown[MattePart.HAND][~hidden].mean() < 0.05 and shown[MattePart.HAIR].max() == 0
    assert (shown[MattePart.VISIBLE] >= shown[MattePart.MATTE]).all()


def clear_and_seen(footage: Footage, faces: Faces) -> tuple[Float, Float]:
    """The mattes of the first frames without and with occlusion."""
    crops = align(first(faces)).crops
    cut = clip_of([frame.rgb8() for frame in footage.frames(0, COUNT - 1)])
    off, on = (mattes_of(cut, Mattes(crops, MaskParameters(occlusion=strength))) for strength in (0, 1))
    return off, on


def test_of_a_clear_face_next_to_nothing_is_left_out(plate: Footage, plate_faces: Faces) -> None:
    off, on = clear_and_seen(plate, plate_faces)
    assert (off - on).sum() < 0.01 * off.sum()


def test_a_fringe_is_left_out_and_nothing_below_it(source: Footage, source_faces: Faces) -> None:
    off, on = clear_and_seen(source, source_faces)
    brows = FACE.contours["right_brow"]
    above = np.zeros_like(off, bool)
    for covered_rows, landmarks in zip(above, source_faces.tracks[0].landmarks, strict=False):
        covered_rows[: int(landmarks[brows, 1].min())] = True
    assert 0.02 < (off - on)[above].sum() / off.sum() < 0.15
    assert (off - on)[~above].sum() < 0.01 * off.sum()


@pytest.mark.parametrize("colour", [(235, 235, 230), (30, 32, 36), (40, 90, 160)], ids=["paper", "phone", "card"])
def test_a_thing_before_the_face_stays_before_it(
    plate: Footage, plate_faces: Faces, colour: tuple[int, int, int]
) -> None:
    footage, hidden = covered(plate, plate_faces, 0.45)
    pictures = []
    for frame, where in zip(footage.frames(), hidden, strict=True):
        picture = frame.rgb8().copy()
        picture[where] = colour
        pictures.append(picture)
    shot, crops = clip_of(pictures), align(first(plate_faces)).crops
    off, on = (mattes_of(shot, Mattes(crops, MaskParameters(occlusion=strength))) for strength in (0, 1))
    inside, clear = hidden & (off > 0.5), ~hidden & (off > 0.5)
    assert on[inside].mean() < 0.15 * off[inside].mean() and on[clear].mean() > 0.9 * off[clear].mean()


def test_a_hand_is_drawn_where_its_landmarks_are(hand_footage: Path) -> None:
    picture = next(cv2.imread(str(file)) for file in sorted(hand_footage.rglob("nocurl.jpg")))
    footage = clip_of([np.ascontiguousarray(picture[..., ::-1])])
    height, width = picture.shape[:2]
    side = max(height, width)
    drawn = draw_hands(footage.frame(0), np.float32([[side / 160, 0, 0], [0, side / 160, 0]]), 160)
    skin = (
        cv2.resize(picture[..., 2].astype(np.float32) - picture[..., 0], (160 * width // side, 160 * height // side))
        > 25
    )
    inside = drawn[: skin.shape[0], : skin.shape[1]] > 0.5
    assert inside.sum() > 200 and skin[inside].mean() > 0.8
    empty = clip_of([np.full((120, 160, 3), 90, np.uint8)])
    assert not draw_hands(empty.frame(0), np.eye(2, 3, dtype=np.float32), 64).any()


@pytest.mark.parametrize("part", [MattePart.VISIBLE, MattePart.HAIR])
def test_a_view_shows_its_part_whatever_the_strength_and_asks_for_a_network(
    part: MattePart, plate: Footage, plate_faces: Faces, occluder: Path
) -> None:
    crops = align(first(plate_faces)).crops
    cut = clip_of([frame.rgb8() for frame in plate.frames(0, 1)])
    on, off = (
        mattes_of(cut, Mattes(crops, MaskParameters(occluder=occluder, part=part, occlusion=strength)))
        for strength in (1, 0)
    )
    np.testing.assert_array_equal(on, off)
    hand = load_subject("hand")
    with pytest.raises(FaceplateError, match="hand has no occlusion network"):
        Mattes((), MaskParameters(), part=part).read([np.zeros((8, 8, 3), np.float32)], [hand.template], hand)


def test_a_network_of_the_users_is_loaded_and_checked_once(tmp_path: Path) -> None:
    path = blue_occluder(tmp_path)
    loaded = load_occluder(FACE, path)
    assert load_occluder(FACE, path) is loaded
    blue_occluder(tmp_path, colour="bgr")
    assert load_occluder(FACE, path) is not loaded
