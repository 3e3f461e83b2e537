"""Aligned images go out as files for any network or editor, and what is edited in them comes back where it was."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from host_bridge.cli import main
from nodes.align import align
from nodes.definitions import AlignParameters, DetectParameters, MaskParameters, RegisterParameters, Transform
from nodes.detect import detect
from nodes.errors import FootageError, NoFaceError, OutputError, SchemaError
from nodes.footage.footage import open_footage
from nodes.geometry.sampling import crop, transform_points
from nodes.mask import draw_regions
from nodes.shot.aligned.images import are_pictures, register_clip, write_clip, write_pictures
from nodes.shot.aligned.put_back import put_back
from nodes.subjects.subject import load_subject
from nodes.swap.place import place
from tests.support.clips import cut, decoded, pictures
from tests.support.scenes import lay, signs, similarity, tilted

KINDS = ("face", pytest.param("hand", marks=pytest.mark.network), "sign")
HARD = MaskParameters(feather=0)
HAND = "hand"
HANDS = ("nocurl", "halfcurl", "fullcurl")
GREEN = (0, 255, 0)


@dataclass
class Aligned:
    """A plate and what was cut out of it, at the plate's own resolution."""

    plate: Path
    folder: Path

    @property
    def transforms(self) -> dict:
        return json.loads((self.folder / "transforms.json").read_text())

    @property
    def rows(self) -> list[dict[str, str]]:
        with (self.folder / "images.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def copy(self, to: Path) -> Aligned:
        return Aligned(self.plate, Path(shutil.copytree(self.folder, to)))

    def edit(self, at: int, change: Callable[[np.ndarray], object]) -> None:
        file = str(self.folder / self.transforms["images"][at]["file"])
        image = cv2.imread(file)[..., ::-1].copy()
        change(image)
        assert cv2.imwrite(file, image[..., ::-1])

    def frame(self, at: int) -> Path:
        """The file of the plate that an image was cut from."""
        entry = self.transforms["images"][at]
        return self.plate / (entry["source"] or f"plate.{entry['frame']:04d}.png")


def read(file: Path) -> np.ndarray:
    return cv2.imread(str(file))[..., ::-1].copy()


def write(folder: Path, shown: list[np.ndarray]) -> Path:
    folder.mkdir()
    for i, picture in enumerate(shown):
        cv2.imwrite(str(folder / f"plate.{i + 7:04d}.png"), picture[..., ::-1])
    return folder


def barely(image: np.ndarray) -> None:
    """An edit outside of every mask, so that an image counts as edited and is as it was."""
    image[0, 0] ^= 1


def painted(picture: np.ndarray) -> np.ndarray:
    return (np.abs(picture.astype(int) - GREEN) < 60).all(-1)


@pytest.fixture(scope="module")
def face(samples, tmp_path_factory) -> Aligned:
    folder = tmp_path_factory.mktemp("face")
    plate = write(folder / "plate", list(pictures(samples / "franck.mp4", 300, 4)))
    with open_footage(plate) as footage:
        write_clip(footage, align(detect(footage), AlignParameters(size=192)).crops, folder / "out")
    return Aligned(plate, folder / "out")


@pytest.fixture(scope="module")
def hand(hand_footage, tmp_path_factory) -> Aligned:
    """Three photographs of a left hand."""
    folder = tmp_path_factory.mktemp("hand")
    (folder / "plate").mkdir()
    for name in HANDS:
        shutil.copy(hand_footage / f"{name}.jpg", folder / "plate")
    write_pictures(folder / "plate", folder / "out", DetectParameters(subject=HAND), AlignParameters(size=512))
    return Aligned(folder / "plate", folder / "out")


@pytest.fixture(scope="module")
def one_hand(hand, tmp_path_factory) -> Aligned:
    """One of them at its own resolution."""
    folder = tmp_path_factory.mktemp("one hand")
    (folder / "plate").mkdir()
    shutil.copy(hand.plate / "nocurl.jpg", folder / "plate")
    (scale,) = (float(r["scale"]) for r in hand.rows if r["source"] == "nocurl.jpg")
    size = AlignParameters(size=round(512 * scale / 8) * 8)
    write_pictures(folder / "plate", folder / "out", DetectParameters(subject=HAND), size)
    return Aligned(folder / "plate", folder / "out")


@pytest.fixture(scope="module")
def sign() -> np.ndarray:
    return signs()["product"]


@pytest.fixture(scope="module")
def scene(sign, tmp_path_factory) -> Path:
    """A sign that tilts; the third of four frames is without it."""
    background = cv2.resize(data.astronaut(), (480, 360), interpolation=cv2.INTER_AREA)
    size = sign.shape[1], sign.shape[0]
    shown = [
        lay(background, sign, tilted(similarity(0.96 + 0.03 * i, 8 * i, 240 + 4 * i, 180, size), 0.05, -0.03, size))
        for i in range(4)
    ]
    shown[2] = background
    return write(tmp_path_factory.mktemp("scene") / "plate", shown)


@pytest.fixture(scope="module")
def reference(sign, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("reference") / "sign.png"
    cv2.imwrite(str(file), sign[..., ::-1])
    return file


@pytest.fixture(scope="module")
def placed_sign(scene, reference, tmp_path_factory) -> Aligned:
    out = tmp_path_factory.mktemp("sign") / "out"
    with open_footage(scene) as footage, open_footage(reference) as picture:
        register_clip(footage, picture.frame(0), out, RegisterParameters(), 0, 3)
    return Aligned(scene, out)


@pytest.fixture(params=KINDS)
def aligned(request) -> Aligned:
    return request.getfixturevalue({"sign": "placed_sign"}.get(request.param, request.param))


def test_a_transform_and_its_inverse_compose_to_identity(aligned):
    for entry in aligned.transforms["images"]:
        there, back = np.array(entry["to_plate"]), np.array(entry["to_crop"])
        np.testing.assert_allclose(there @ back, np.eye(3), atol=1e-6)
        np.testing.assert_allclose(back @ there, np.eye(3), atol=1e-6)


def test_every_image_has_a_mask_of_its_size_and_a_row_that_says_where_it_is(aligned):
    entries, rows = aligned.transforms["images"], aligned.rows
    assert [e["file"] for e in entries] == [r["file"] for r in rows] and len(rows) >= 3
    for entry, row in zip(entries, rows, strict=True):
        size = entry["size"][1], entry["size"][0]
        mask = cv2.imread(str(aligned.folder / entry["mask"]), cv2.IMREAD_UNCHANGED)
        assert read(aligned.folder / entry["file"]).shape == (*size, 3) and mask.shape == size
        assert (mask > 127).mean() > 0.1
        centre = np.array(entry["to_plate"]) @ [entry["size"][0] / 2, entry["size"][1] / 2, 1]
        np.testing.assert_allclose(centre[:2] / centre[2], [float(row["x"]), float(row["y"])], rtol=1e-5)
        box = [float(row[k]) for k in ("x0", "y0", "x1", "y1")]
        middle = np.array(entry["to_crop"]) @ [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1]
        assert (middle[:2] / middle[2] > 0).all() and (middle[:2] / middle[2] < entry["size"]).all()
        assert 0.3 < float(row["score"]) <= 1 and int(row["frame"]) == entry["frame"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_out_and_comes_back_is_within_a_code_value_of_what_was_there(request, kind, tmp_path):
    whole = request.getfixturevalue({"hand": "one_hand", "sign": "placed_sign"}.get(kind, kind))
    mine = whole.copy(tmp_path / "in")
    entries = mine.transforms["images"]
    for i in range(len(entries)):
        mine.edit(i, barely)
    told = put_back(mine.folder, tmp_path / "out", edge=HARD)
    assert told.edited == len(entries)
    for i, (entry, row) in enumerate(zip(entries, mine.rows, strict=True)):
        assert 0.9 < float(row["scale"]) < 1.1, "at the plate's own resolution"
        before, after = read(mine.frame(i)), read(tmp_path / "out" / f"{mine.frame(i).stem}.png")
        mask = cv2.imread(str(mine.folder / entry["mask"]), cv2.IMREAD_UNCHANGED)
        matrix = np.array(entry["to_plate"])
        region = cv2.warpPerspective(mask, matrix, before.shape[1::-1])
        error = np.abs(before.astype(float) - after)
        assert error[region > 127].mean() <= 1.0
        beyond = cv2.dilate((region > 0).astype(np.uint8), np.ones((5, 5))) == 0
        assert beyond.mean() > 0.2 and not error[beyond].any(), "outside the mask it is the plate"


def test_a_left_hand_is_aligned_as_a_right_one_in_a_mirror(hand, tmp_path):
    entries = hand.transforms["images"]
    assert all(e["mirrored"] and np.linalg.det(e["to_plate"]) < 0 for e in entries)
    (tmp_path / "flipped").mkdir()
    for name in HANDS:
        cv2.imwrite(str(tmp_path / "flipped" / f"{name}.png"), cv2.imread(str(hand.plate / f"{name}.jpg"))[:, ::-1])
    write_pictures(tmp_path / "flipped", tmp_path / "out", DetectParameters(subject=HAND), AlignParameters(size=512))
    right = Aligned(tmp_path / "flipped", tmp_path / "out")
    assert not any(e["mirrored"] for e in right.transforms["images"])
    points, others = (np.load(a.folder / "landmarks.npy") for a in (hand, right))
    assert points.shape == (3, 21, 3)
    palm = np.linalg.norm(others[:, 9, :2] - others[:, 0, :2], axis=1)
    assert (np.linalg.norm((points - others)[..., :2], axis=-1).mean(1) < 0.15 * palm).all()


def test_crops_masks_and_patches_of_a_mirrored_track_lie_where_the_hand_is(hand):
    entry, points = hand.transforms["images"][0], np.load(hand.folder / "landmarks.npy")[0]
    to_plate = np.array(entry["to_plate"])[:2].astype(np.float32)
    plate = read(hand.frame(0))
    image = crop(plate, to_plate[None], 512)[0]
    assert np.abs(image.astype(float) - read(hand.folder / entry["file"])).mean() < 1
    mask = draw_regions(points[None], 512, load_subject(HAND))[0]
    column, row = points[:, :2].astype(int).T
    assert (mask[row, column] > 0.9).all()
    patch = place(0, image.astype(np.float32) / 255, mask, to_plate, plate.shape[1], plate.shape[0])
    x, y = transform_points(to_plate, points[:, :2]).astype(int).T
    alpha = np.zeros(plate.shape[:2])
    alpha[patch.roi.slices] = patch.rgba[..., 3]
    assert (alpha[y, x] > 0.9).all()


@pytest.mark.parametrize("at", [0, 1])
def test_paint_comes_back_where_it_was_painted_and_nowhere_else(aligned, at, tmp_path):
    mine = aligned.copy(tmp_path / "in")
    entry = mine.transforms["images"][at]
    mask = cv2.imread(str(mine.folder / entry["mask"]), cv2.IMREAD_UNCHANGED)
    depth = cv2.distanceTransform(np.pad((mask > 127).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    row, column, radius = row + 3, column - 4, round(6 / float(mine.rows[at]["scale"]))
    mine.edit(at, lambda image: cv2.circle(image, (int(column), int(row)), radius, GREEN, -1))
    told = put_back(mine.folder, tmp_path / "out", edge=HARD)
    assert (told.edited, told.unchanged, told.deleted) == (1, len(mine.transforms["images"]) - 1, 0)
    x, y, w = np.array(entry["to_plate"]) @ [column + 0.5, row + 0.5, 1]
    there = np.argwhere(painted(read(tmp_path / "out" / f"{mine.frame(at).stem}.png")))[:, ::-1] + 0.5
    np.testing.assert_allclose(there.mean(0), [x / w, y / w], atol=0.6)
    assert 70 < len(there) < 150
    for i in range(len(mine.transforms["images"])):
        if i != at:
            out = read(tmp_path / "out" / f"{mine.frame(i).stem}.png")
            np.testing.assert_array_equal(out, read(mine.frame(i)))


def test_images_that_were_deleted_leave_the_plate_as_it_is(face, tmp_path):
    mine = face.copy(tmp_path / "in")
    for entry in mine.transforms["images"][1:]:
        (mine.folder / entry["file"]).unlink()
    mine.edit(0, lambda image: image.__setitem__(slice(80, 110), GREEN))
    told = put_back(mine.folder, tmp_path / "out")
    assert (told.edited, told.deleted, told.frames) == (1, 3, 4)
    names = sorted(f.name for f in (tmp_path / "out").glob("*.png"))
    assert names == [f"plate.{i:04d}.png" for i in range(7, 11)], "named as the plate's"
    first, *rest = (read(tmp_path / "out" / n) for n in names)
    assert painted(first).sum() > 500
    for name, picture in zip(names[1:], rest, strict=True):
        np.testing.assert_array_equal(picture, read(mine.plate / name))


def test_an_edge_is_soft_inside_the_mask(face, tmp_path):
    mine = face.copy(tmp_path / "in")
    mine.edit(0, lambda image: image.__setitem__(slice(None), GREEN))
    hard, soft = (
        painted(read((put_back(mine.folder, tmp_path / n, edge=e), tmp_path / n)[1] / "plate.0007.png")).sum()
        for n, e in (("hard", HARD), ("soft", MaskParameters(feather=0.2)))
    )
    assert 0.2 * hard < soft < 0.9 * hard


def test_an_image_may_come_back_with_sixteen_bits_and_transparent_where_the_plate_shall_show(face, tmp_path):
    mine = face.copy(tmp_path / "in")
    image = np.full((192, 192, 4), (0, 65535, 0, 65535), np.uint16)
    image[:, 96:, 3] = 0
    cv2.imwrite(str(mine.folder / mine.transforms["images"][0]["file"]), image)
    put_back(mine.folder, tmp_path / "out", edge=HARD)
    matrix = np.array(mine.transforms["images"][0]["to_crop"])
    there = np.argwhere(painted(read(tmp_path / "out" / "plate.0007.png")))[:, ::-1] + 0.5
    x = there @ matrix[0, :2] + matrix[0, 2]
    assert len(there) > 2000 and x.max() < 97


def test_a_movie_comes_back_as_one_without_loss_with_the_plates_own_samples(samples, tmp_path):
    clip = cut(samples / "franck.mp4", tmp_path / "clip.mkv", 300, 3, codec="ffv1")
    assert main(["align", str(clip), "--out", str(tmp_path / "in"), "--size", "192"]) == 0
    mine = Aligned(clip, tmp_path / "in")
    mine.edit(1, lambda image: image.__setitem__((slice(80, 110), slice(60, 130)), GREEN))
    assert main(["align", "--invert", str(tmp_path / "in"), "--out", str(tmp_path / "out.mkv")]) == 0
    before, after = decoded(clip), decoded(tmp_path / "out.mkv")
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert main(["align", "--invert", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert painted(read(tmp_path / "out" / "clip.0001.png")).sum() > 500


def test_an_object_is_cut_out_as_its_reference_shows_it_and_frames_without_it_are_listed(placed_sign, sign):
    found = placed_sign.transforms
    assert [e["frame"] for e in found["images"]] == [7, 8, 10]
    assert [(left["frame"], left["reason"]) for left in found["left_out"]] == [(9, "not found")]
    assert (found["method"], found["transform"], found["subject"]) == ("features", "homography", None)
    assert np.array(found["images"][0]["to_plate"])[2, :2].any()
    for entry in found["images"]:
        assert np.abs(read(placed_sign.folder / entry["file"]).astype(float) - sign).mean() < 6


def test_what_is_transparent_in_a_reference_is_not_in_the_masks(scene, sign, tmp_path):
    alpha = np.zeros(sign.shape[:2], np.uint8)
    cv2.circle(alpha, (sign.shape[1] // 2, sign.shape[0] // 2), 90, 255, -1)
    cv2.imwrite(str(tmp_path / "sign.png"), np.dstack([sign[..., ::-1], alpha]))
    arguments = ["align", scene, "--reference", tmp_path / "sign.png", "--method", "ecc", "--model", "similarity"]
    assert main([str(a) for a in [*arguments, "--out", tmp_path / "out", "--range", "7-8", "--size", 152]]) == 0
    mine = Aligned(scene, tmp_path / "out")
    (first, _) = mine.transforms["images"]
    assert max(first["size"]) == 152 and first["to_plate"][2] == [0, 0, 1]
    mask = cv2.imread(str(mine.folder / first["mask"]), cv2.IMREAD_UNCHANGED)
    assert mask[0, 0] == 0 and mask[mask.shape[0] // 2, mask.shape[1] // 2] == 255
    assert mine.transforms["transform"] == Transform.SIMILARITY


def test_an_object_that_is_nowhere_is_told(scene, tmp_path):
    cv2.imwrite(str(tmp_path / "other.png"), data.chelsea()[..., ::-1])
    with (
        open_footage(scene) as footage,
        open_footage(tmp_path / "other.png") as picture,
        pytest.raises(NoFaceError, match="shows nowhere"),
    ):
        register_clip(footage, picture.frame(0), tmp_path / "out", RegisterParameters(), 0, 3)
    assert not (tmp_path / "out").exists()


def test_pictures_of_any_size_are_looked_at_one_by_one(samples, hand, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (shown,) = pictures(samples / "franck.mp4", 300, 1)
    cv2.imwrite(str(folder / "1.png"), shown[..., ::-1])
    cv2.imwrite(str(folder / "2.png"), cv2.hconcat([shown, shown])[..., ::-1])
    shutil.copy(folder / "2.png", folder / "1.bmp")
    shutil.copy(hand.plate / "nocurl.jpg", folder / "a hand.jpg")
    (folder / "broken.png").write_bytes(b"no picture")
    assert are_pictures(folder)
    assert main(["align", str(folder), "--out", str(tmp_path / "out"), "--size", "96"]) == 0
    mine = Aligned(folder, tmp_path / "out")
    files = [r["file"] for r in mine.rows]
    assert files == [f"images/{n}.png" for n in ("0/1.bmp", "1/1.bmp", "0/1.png", "0/2", "1/2")]
    assert [r["source"] for r in mine.rows] == ["1.bmp", "1.bmp", "1.png", "2.png", "2.png"]
    reasons = {left["source"]: left["reason"] for left in mine.transforms["left_out"]}
    assert reasons.keys() == {"a hand.jpg", "broken.png"} and reasons["a hand.jpg"] == "not found"
    assert "broken.png" in reasons["broken.png"]
    mine.edit(4, lambda image: image.__setitem__(slice(40, 60), GREEN))
    put_back(mine.folder, tmp_path / "back")
    assert {f.name for f in (tmp_path / "back").iterdir()} == {"1.bmp.png", "1.png.png", "2.png", "a hand.png"}
    assert painted(read(tmp_path / "back" / "2.png")).sum() > 200


def test_a_folder_is_a_sequence_where_all_its_pictures_could_be_one(face, hand, tmp_path):
    assert not are_pictures(face.plate) and are_pictures(hand.plate)
    shutil.copytree(face.plate, tmp_path / "sizes")
    cv2.imwrite(str(tmp_path / "sizes" / "plate.0008.png"), np.zeros((50, 40, 3), np.uint8))
    assert are_pictures(tmp_path / "sizes")
    (tmp_path / "sizes" / "plate.0008.png").unlink()
    assert not are_pictures(tmp_path / "sizes"), "a hole in a sequence is an error, not another kind of folder"


def test_pictures_that_show_nothing_are_an_error_that_leaves_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "grey.png"), np.full((90, 90, 3), 128, np.uint8))
    with pytest.raises(NoFaceError, match="1 picture"):
        write_pictures(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_earlier_run_is_replaced_and_what_is_of_others_stays(face, tmp_path):
    mine = face.copy(tmp_path / "out")
    (mine.folder / "images" / "mine.png").write_bytes(b"mine")
    with open_footage(face.plate) as footage:
        write_clip(footage, align(detect(footage, last=1), AlignParameters(size=64)).crops, mine.folder)
    kept = {str(f.relative_to(mine.folder)) for f in mine.folder.rglob("*") if f.is_file()}
    named = {f"{kind}/0/{n}.png" for kind in ("images", "masks") for n in ("0007", "0008")}
    assert kept == named | {"images/mine.png", "images.csv", "landmarks.npy", "sheet.png", "transforms.json"}


def test_a_folder_that_is_not_ours_is_refused(face, tmp_path):
    (tmp_path / "out" / "images").mkdir(parents=True)
    with open_footage(face.plate) as footage, pytest.raises(OutputError, match="did not write"):
        write_clip(footage, align(detect(footage, last=1)).crops, tmp_path / "out")


def test_a_region_that_the_subject_has_not_is_refused(face, tmp_path, capsys):
    assert main(["align", str(face.plate), "--out", str(tmp_path / "out"), "--regions", "tail"]) == 1
    assert "has no region 'tail'" in capsys.readouterr().err


def test_an_image_of_another_size_is_refused_by_name(face, tmp_path):
    mine = face.copy(tmp_path / "in")
    file = mine.folder / mine.transforms["images"][2]["file"]
    cv2.imwrite(str(file), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(FootageError, match=r"0009\.png: is 64x64, and was cut as 192x192"):
        put_back(mine.folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_plate_and_a_place_that_is_taken_are_refused(face, scene, tmp_path):
    with pytest.raises(FootageError, match="the images are of another clip"):
        put_back(face.folder, tmp_path / "out", scene)
    with pytest.raises(OutputError, match="where the plate"):
        put_back(face.folder, face.plate)
    with pytest.raises(OutputError, match="where the plate"):
        put_back(face.folder, face.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema="faceplate.transforms/2"), "newer Faceplate"),
        (lambda d: d["images"][0].update(to_plate=[[1, 0], [0, 1]]), "damaged"),
        (lambda d: d["images"][0].update(to_plate=[[0, 0, 0]] * 3), "damaged"),
        (lambda d: d["images"][0].update(file="../../elsewhere.png"), "damaged"),
        (lambda d: d.pop("images"), "damaged"),
    ],
)
def test_a_document_that_does_not_hold_is_refused(face, tmp_path, change, message):
    mine = face.copy(tmp_path / "in")
    document = mine.transforms
    change(document)
    (mine.folder / "transforms.json").write_text(json.dumps(document))
    with pytest.raises(SchemaError, match=message):
        put_back(mine.folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either a CLIP or --invert"),
        (["CLIP", "--invert", "DIR"], "either a CLIP or --invert"),
        (["CLIP", "--method", "ecc"], "give --reference"),
        (["CLIP", "--method", "landmarks", "--reference", "REFERENCE"], "--method landmarks"),
        (["REFERENCE", "--pictures"], "is no folder"),
        (["--invert", "CLIP"], "transforms.json: does not exist"),
    ],
)
def test_what_does_not_go_together_is_told(face, reference, tmp_path, capsys, arguments, message):
    known = {"CLIP": str(face.plate), "REFERENCE": str(reference), "DIR": str(face.folder)}
    assert main(["align", "--out", str(tmp_path / "out"), *(known.get(a, a) for a in arguments)]) in (2, 7)
    assert message.lower() in capsys.readouterr().err.lower()
    assert not (tmp_path / "out").exists()
