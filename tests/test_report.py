"""The report measures what it says, on real footage, and is one page that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pages import SCHEMES, opened, printed
from pages import browser as browser
from playwright.sync_api import Browser

from nodes.align.landmarks68 import MESH_TO_68, to_68
from nodes.detect import detect
from nodes.errors import FootageError, OutputError
from nodes.footage import MovieWriter, open_footage, write_matte
from nodes.report import measure, write_report
from nodes.types import Faces, Float, Image8, Patch, Roi

FIRST, COUNT = 380, 24  # of cap13_edit2: the mouth opens
Edit = Callable[[int, Image8], Image8]


@pytest.fixture(scope="module")
def clip(samples: Path) -> list[Image8]:
    with open_footage(samples / "cap13_edit2.mp4") as footage:
        return [frame.rgb8() for frame in footage.frames(FIRST, FIRST + COUNT - 1)]


@pytest.fixture(scope="module")
def faces(samples: Path) -> Faces:
    with open_footage(samples / "cap13_edit2.mp4") as footage:
        return detect(footage, first=FIRST, last=FIRST + COUNT - 1)


@pytest.fixture(scope="module")
def matte(faces: Faces) -> tuple[Roi, Float]:
    """An ellipse on the face, which hardly moves in these frames, soft at its edge."""
    box = faces.tracks[0].boxes[0]
    roi = Roi(*(int(v) for v in box))
    y, x = np.mgrid[-1 : 1 : roi.height * 1j, -1 : 1 : roi.width * 1j]
    return roi, np.clip((1 - np.hypot(x, y)) * 4, 0, 1).astype(np.float32)


def write_shot(
    folder: Path, frames: list[Image8], edit: Edit = lambda i, image: image, matte: tuple[Roi, Float] | None = None
) -> Path:
    """A shot folder whose composite is edited frames, with the same matte throughout."""
    like = _info(folder, frames[0])
    with MovieWriter(folder / "plate.mkv", like) as plate, MovieWriter(folder / "composite.mkv", like) as composite:
        for i, image in enumerate(frames):
            plate.write(image)
            composite.write(edit(i, image.copy()))
            if matte is not None:
                write_matte(folder / f"matte/matte.{i:04d}.exr", matte[1], matte[0], like.width, like.height)
    return folder


def _info(folder: Path, image: Image8):  # type: ignore[no-untyped-def]
    from fractions import Fraction

    from nodes.footage import FootageInfo

    return FootageInfo(folder / "none", image.shape[1], image.shape[0], Fraction(25), 1)


def figures(report: dict) -> dict[str, dict]:  # type: ignore[type-arg]
    return {f["name"]: f for f in report["figures"]}


# The 68 points


def test_the_68_points_are_68_different_points_and_mirror_each_other(faces: Faces) -> None:
    points = to_68(faces.tracks[0].landmarks)
    assert points.shape == (COUNT, 68, 2)
    assert len(set(MESH_TO_68.tolist())) == 68


def test_the_68_points_lie_where_the_convention_has_them(faces: Faces) -> None:
    p = to_68(faces.tracks[0].landmarks).mean(0)  # an upright face: x grows to the subject's left, y grows downwards
    x, y = p[:, 0], p[:, 1]
    assert (np.diff(x[:17]) > 0).all(), "the jaw runs from the subject's right ear to the left"
    assert y[8] == y.max() and y[0] < y[4] < y[8] > y[12] > y[16], "and is lowest at the chin"
    assert (np.diff(x[17:27]) > 0).all(), "the brows run from right to left"
    assert y[17:22].max() < y[36:42].min() and y[22:27].max() < y[42:48].min(), "above the eyes"
    assert (np.diff(y[27:31]) > 0).all() and (np.diff(x[31:36]) > 0).all(), "the bridge runs down, the nostrils across"
    assert x[36] < x[39] < x[27] < x[42] < x[45], "the eyes' corners stand beside the nose"
    assert (y[[37, 38]] < y[[41, 40]]).all() and (y[[43, 44]] < y[[47, 46]]).all(), "upper lids above lower lids"
    assert x[48] == x[48:60].min() and x[54] == x[48:60].max(), "the mouth's corners are its ends"
    assert y[51] < y[62] < y[66] < y[57], "outer lips around inner lips"
    assert x[48] < x[60] < x[64] < x[54]


# The measures


def test_landmark_error_is_a_share_of_the_eye_distance_and_leaves_the_jaw_out(faces: Faces) -> None:
    plate = to_68(faces.tracks[0].landmarks)
    moved = plate + np.float32([3, 4])
    assert measure.landmark_error(plate, moved) == pytest.approx(5 / measure.eye_distance(plate), rel=1e-4)
    moved = plate.copy()
    moved[:, :17] += 50
    assert measure.landmark_error(plate, moved) == pytest.approx(0)


def test_gain_and_correlation_tell_a_weak_follower_from_a_wrong_one() -> None:
    plate = np.sin(np.arange(60) / 5).astype(np.float32) + 1
    weak = measure.agreement(plate, 0.5 * plate + 0.1)
    assert weak == pytest.approx((1, 0.5), abs=1e-5)
    assert measure.agreement(plate, -plate).correlation == pytest.approx(-1, abs=1e-5)
    assert np.isnan(measure.agreement(np.ones(60, np.float32), plate).correlation), "a still mouth says nothing"


def test_flicker_ignores_even_change_and_counts_a_pop() -> None:
    base = np.full((1, measure.CROP, measure.CROP, 3), 100, np.uint8)
    assert measure.flicker(base, base + 5, base + 10) == pytest.approx(0)
    assert measure.flicker(base, base + 5, base) == pytest.approx(10)


def test_worst_frames_are_apart_from_each_other_and_skip_what_was_not_measured() -> None:
    values = np.array([1, 9, 8, np.nan, 2, 7, np.nan], np.float32)
    assert measure.worst(values, 3, 3) == [1, 5]
    assert measure.worst(np.full(4, np.nan, np.float32), 3, 3) == []


def test_openings_are_the_same_at_any_size(faces: Faces) -> None:
    plate = to_68(faces.tracks[0].landmarks)
    for opening in (measure.mouth_opening, measure.eye_opening):
        assert opening(2.5 * plate + 10) == pytest.approx(opening(plate), rel=1e-3)


# The report


def test_an_untouched_composite_keeps_every_bar(tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]) -> None:
    told: list[float] = []
    report = write_report(write_shot(tmp_path, clip, matte=matte), told.append)
    found = figures(report)
    assert report["verdict"] == "pass"
    assert found["landmark_error"]["value"] == 0
    assert found["flicker_median"]["value"] == pytest.approx(1)
    assert found["mouth_gain"]["value"] == pytest.approx(1)
    assert told == sorted(told) and told[-1] == 1


def test_the_documents_are_json_and_one_page_without_references(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    shot = write_shot(tmp_path / "a <shot> & more", clip, matte=matte)
    (shot / "shot.json").write_text(
        '{"schema": "faceplate.shot/1", "settings": {"method": "<b>reference</b>"}}', "utf-8"
    )
    report = write_report(shot)
    assert json.loads((shot / "report.json").read_text("utf-8")) == report
    assert report["schema"] == "faceplate.report/1"
    assert len(report["per_frame"]["coverage_percent"]) == report["frames"] == COUNT
    assert np.shape(report["faces"][0]["transform"]["raw"]) == (COUNT, 4)
    page = (shot / "report.html").read_text("utf-8")
    assert len(page) < 6e6
    assert "//" not in re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", page), "no address of anything"
    links = re.findall(r'(?:src|href)="([^"]{5})', page)
    assert links and all(link == "data:" or link.startswith("#") for link in links)
    assert page.count("<svg") == 7 and "<script" not in page
    assert "a &lt;shot&gt; &amp; more" in page and "<b>reference" not in page
    assert {p.name for p in shot.iterdir()} == {
        "plate.mkv", "composite.mkv", "matte", "shot.json", "report.json", "report.html",
    }  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_whole_in_one_file_and_can_be_read_by_everyone(
    scheme: str, tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float], browser: Browser
) -> None:
    shot = write_shot(tmp_path / "a <b>shot", clip, matte=matte)
    write_report(shot)
    for width in (400, 1280):
        with opened(browser, shot / "report.html", scheme, width) as page:
            assert page.locator("h1").inner_text() == "a <b>shot"
            colours = page.evaluate("[...document.querySelectorAll('svg text')].map(t => getComputedStyle(t).fill)")
            assert set(colours) == {"rgb(163, 169, 177)" if scheme == "dark" else "rgb(89, 95, 103)"}
    assert printed(browser, shot / "report.html", "A4") <= 6


def test_a_composite_of_native_planes_leaves_the_plate_alone_outside_the_matte(
    tmp_path: Path, samples: Path, matte: tuple[Roi, Float]
) -> None:
    roi, alpha = matte
    rgba = np.dstack([alpha * v for v in (0.5, 0.3, 0.2)] + [alpha]).astype(np.float32) * np.float32(0.6)
    with (
        open_footage(samples / "cap13_edit2.mp4") as footage,
        MovieWriter(tmp_path / "plate.mkv", footage.info) as plate,
        MovieWriter(tmp_path / "composite.mkv", footage.info) as composite,
    ):
        for i, frame in enumerate(footage.frames(FIRST, FIRST + 5)):
            plate.write(frame)
            composite.write(frame.over(Patch(i, roi, rgba)))
            write_matte(tmp_path / f"matte/matte.{1001 + i:04d}.exr", rgba[..., 3], roi, frame.width, frame.height)
    report = write_report(tmp_path)
    assert figures(report)["outside_change"]["value"] == 0
    assert report["first"] == 1001, "frames are numbered as the files are"


def test_one_changed_code_value_outside_the_matte_is_found_and_shown(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    def edit(i: int, image: Image8) -> Image8:
        if i == 7:
            image[3, 5, 1] ^= 1
        return image

    report = write_report(write_shot(tmp_path, clip[:12], edit, matte))
    assert figures(report)["outside_change"]["value"] == 1
    assert figures(report)["outside_change"]["verdict"] == report["verdict"] == "fail"
    look = report["look_first"][0]
    assert look["frame"] == 7 and "outside the matte by 1" in look["reasons"][0]


def test_a_face_that_is_lost_is_counted_and_shown_first(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    def edit(i: int, image: Image8) -> Image8:
        if i >= 20:
            image[matte[0].slices] = 90
        return image

    report = write_report(write_shot(tmp_path, clip, edit, matte))
    assert figures(report)["faces_lost"]["value"] == COUNT - 20
    assert any("lost" in reason for reason in report["look_first"][0]["reasons"])
    assert report["per_frame"]["faces_composite"][19:21] == [1, 0]


def test_a_composite_that_flickers_misses_the_bar(tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]) -> None:
    def edit(i: int, image: Image8) -> Image8:
        return (image * (0.85 if i % 2 else 1.0)).astype(np.uint8)

    found = figures(write_report(write_shot(tmp_path, clip, edit, matte)))
    assert found["flicker_median"]["value"] > 3 and found["flicker_median"]["verdict"] == "fail"


def test_a_mouth_that_stays_shut_is_told_from_one_that_follows(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    found = figures(write_report(write_shot(tmp_path, clip, lambda i, image: clip[0].copy(), matte)))
    assert found["mouth_gain"]["value"] < 0.3 and found["mouth_gain"]["verdict"] == "fail"


def test_only_faces_under_the_matte_are_measured(tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]) -> None:
    two = [np.concatenate([image, image[:, ::-1]], axis=1) for image in clip[:10]]
    report = write_report(write_shot(tmp_path, two, matte=matte))
    assert report["per_frame"]["faces_plate"] == [2] * 10
    assert len(report["faces"]) == 1 and report["faces"][0]["covered"][0] > 0.25
    assert "1 further face" in report["notes"][0]


@pytest.mark.parametrize(("count", "verdict"), [(1, "pass"), (2, "pass"), (3, "pass")])
def test_the_shortest_shots_have_a_report(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float], count: int, verdict: str
) -> None:
    report = write_report(write_shot(tmp_path, clip[:count], matte=matte))
    assert report["verdict"] == verdict
    assert "could be measured" in report["summary"] and figures(report)["mouth_correlation"]["verdict"] == "unmeasured"
    assert figures(report)["flicker_median"]["verdict"] == ("pass" if count > 2 else "unmeasured")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (33, 17), (161, 97)])
def test_a_shot_without_a_face_or_a_matte_has_a_report(tmp_path: Path, width: int, height: int) -> None:
    images = [np.random.default_rng(i).integers(0, 255, (height, width, 3), np.uint8) for i in range(4)]
    report = write_report(write_shot(tmp_path, images))
    assert report["verdict"] == "unmeasured" and report["faces"] == []
    assert figures(report)["outside_change"]["verdict"] == "unmeasured"
    assert (tmp_path / "report.html").exists()


def test_missing_mattes_are_said(tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]) -> None:
    shot = write_shot(tmp_path, clip[:8], matte=matte)
    (shot / "matte/matte.0003.exr").unlink()
    report = write_report(shot)
    assert "1 of 8 frames have no matte" in report["notes"][0]
    assert figures(report)["frames_without_matte"]["value"] == 1
    assert report["per_frame"]["coverage_percent"][3] is None


def test_what_cannot_be_reported_is_said_by_name_and_leaves_nothing(tmp_path: Path, clip: list[Image8]) -> None:
    with pytest.raises(FootageError, match="no folder of a shot"):
        write_report(tmp_path / "nowhere")
    shot = write_shot(tmp_path / "shot", clip[:3])
    (shot / "composite.mkv").unlink()
    with pytest.raises(FootageError, match=r"composite\.mkv"):
        write_report(shot)
    with MovieWriter(shot / "composite.mkv", _info(shot, clip[0])) as movie:
        movie.write(clip[0])
    with pytest.raises(FootageError, match="has 1 frames of 400x300, the plate 3"):
        write_report(shot)
    assert {p.name for p in shot.iterdir()} == {"plate.mkv", "composite.mkv"}


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path, clip: list[Image8]) -> None:
    shot = write_shot(tmp_path, clip[:2])
    (shot / "report.json").mkdir()
    with pytest.raises(OutputError, match=r"report\.json"):
        write_report(shot)
    assert {p.name for p in shot.iterdir()} == {"plate.mkv", "composite.mkv", "report.json"}
