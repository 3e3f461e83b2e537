"""The report measures what it says, on real footage, and is one page that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser

from nodes.cache import digest_footage
from nodes.detect import detect
from nodes.detect.kept import analyse
from nodes.errors import FootageError, OutputError
from nodes.footage.footage import open_footage
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.patch_files import write_matte
from nodes.report import measure, write
from nodes.report.figures import ShownFigure, key_figures, overall
from nodes.report.frames import measure_frames, worst_frames
from nodes.report.gather import MeasuredShot, gather
from nodes.report.measure import compare_expression, in_words
from nodes.report.page import render_page
from nodes.report.samples import HALF, FaceSample, compared_regions, detail, sharpness
from nodes.subjects.subject import load_subject
from nodes.types import Faces, Float, Image8, Patch, Roi
from tests.support.clips import cut
from tests.support.pages import SCHEMES, opened, printed
from tests.support.pages import browser as browser
from tests.support.shot_documents import shot_document

FIRST, COUNT = 380, 24  # of cap13_edit2: the mouth opens
LIVELY = 72  # first frames of it, in which gaze, lids, brows, mouth and jaw move
FACE = load_subject()
NAMES = FACE.coefficients.names if FACE.coefficients else ()
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

    from nodes.footage.info import FootageInfo

    return FootageInfo(folder / "none", image.shape[1], image.shape[0], Fraction(25), 1)


def write_report(shot: Path, *progress: Callable[[float], None]) -> dict:  # type: ignore[type-arg]
    """Write the report of a shot, and return report.json as a document."""
    return write.write_report(shot, *progress).model_dump(mode="json", by_alias=True)


def figures(report: dict) -> dict[str, dict]:  # type: ignore[type-arg]
    return {f["name"]: f for f in report["figures"]}


def all_figures(shot: MeasuredShot) -> dict[str, ShownFigure]:
    return {f.name: f for f in key_figures(shot, measure_frames(shot))}


def missed(shot: MeasuredShot) -> set[str]:
    return {name for name, figure in all_figures(shot).items() if figure.verdict == "fail"}


def name_source(shot: Path, clip: Path, **changes: str) -> Path:
    """Write a shot.json that says which clip the new face is from."""
    source = {"path": str(clip), "digest": digest_footage(clip)} | changes
    told = shot_document({"plate": {"path": "", "digest": ""}, "source": source})
    (shot / "shot.json").write_text(json.dumps(told), "utf-8")
    return shot


# The measures


def test_landmark_error_is_a_share_of_the_eye_distance_and_leaves_the_outline_out(faces: Faces) -> None:
    eyes = FACE.template[[468, 473], :2]
    assert measure.measuring_unit(FACE) == pytest.approx(np.linalg.norm(eyes[0] - eyes[1]), rel=0.01)
    assert measure.measuring_unit(load_subject("hand")) == 1
    assert not set(measure.inner_points(FACE)) & set(FACE.outline)
    plate = faces.tracks[0].landmarks[..., :2]
    error = measure.landmark_error(plate, plate + np.float32([3, 4]), np.full(COUNT, 50, np.float32))
    assert error == pytest.approx(np.full(COUNT, 0.1), rel=1e-4)


def test_gain_and_correlation_tell_a_weak_follower_from_a_wrong_one() -> None:
    plate = np.full((60, len(NAMES)), 0.2, np.float32)
    plate[:, NAMES.index("jawOpen")] = 0.5 + 0.3 * np.sin(np.arange(60) / 5)
    weak = next(g for g in compare_expression(plate, 0.5 * plate + 0.1, NAMES) if g.group == "jaw")
    assert (weak.correlation, weak.gain) == pytest.approx((1, 0.5), abs=1e-5)
    assert NAMES[weak.members[0]] == "jawOpen" and not weak.calm
    wrong = next(g for g in compare_expression(plate, 1 - plate, NAMES) if g.group == "jaw")
    assert wrong.correlation == pytest.approx(-1, abs=1e-5)


def test_a_group_that_keeps_still_on_the_plate_is_calm_and_known_by_its_offset_alone() -> None:
    plate = np.full((60, len(NAMES)), 0.2, np.float32)
    frown = plate.copy()
    frown[:, NAMES.index("browDownLeft")] += 0.3
    brows = next(g for g in compare_expression(plate, frown, NAMES) if g.group == "brows")
    assert brows.calm and np.isnan(brows.correlation) and np.isnan(brows.gain)
    assert brows.offset == pytest.approx(0.3, abs=1e-5) and NAMES[brows.members[0]] == "browDownLeft"
    few = next(g for g in compare_expression(plate[:3], frown[:3], NAMES) if g.group == "brows")
    assert not few.calm and np.isnan(few.correlation) and few.offset == pytest.approx(0.3, abs=1e-5)


def test_coefficients_are_named_in_plain_words() -> None:
    said = [
        in_words(n) for n in ("eyeBlinkLeft", "eyeLookInRight", "browInnerUp", "mouthSmileLeft", "mouthLeft", "jawOpen")
    ]
    assert said == [
        "left eye: blink", "right eye: look towards the nose", "brow: inner up", "mouth: smile, left", "mouth: left", "jaw: open",
    ]  # fmt: skip


def test_flicker_ignores_even_change_and_counts_a_pop() -> None:
    base = np.full((1, measure.CROP, measure.CROP, 3), 100, np.uint8)
    assert measure.flicker(base, base + 5, base + 10) == pytest.approx(0)
    assert measure.flicker(base, base + 5, base) == pytest.approx(10)


def test_worst_frames_are_apart_from_each_other_and_skip_what_was_not_measured() -> None:
    values = np.array([1, 9, 8, np.nan, 2, 7, np.nan], np.float32)
    assert measure.worst(values, 3, 3) == [1, 5]
    assert measure.worst(np.full(4, np.nan, np.float32), 3, 3) == []


# Sharpness


def sample_of(image: Image8, faces: Faces, row: int, matte: Float | None = None) -> FaceSample:
    from nodes.align import align
    from nodes.report.samples import take_sample

    return take_sample(image, align(faces).crops[0], row, faces.tracks[0].landmarks[row], matte)


def test_detail_is_the_same_in_any_light_and_less_where_it_is_blurred(clip: list[Image8], faces: Faces) -> None:
    sharp = sample_of(clip[0], faces, 0)
    dim = replace(sharp, grey=0.5 * sharp.grey + 20)
    shaded = replace(sharp, grey=sharp.grey * np.linspace(0.7, 1.2, len(sharp.grey), dtype=np.float32))
    soft = replace(sharp, grey=cv2.GaussianBlur(sharp.grey, (0, 0), 1.0))
    plain = detail(sharp, sharp.scale, FACE)
    assert set(plain) == {"face", "brows", "eyes", "mouth"} == set(compared_regions(FACE))
    for region, value in plain.items():
        assert detail(dim, sharp.scale, FACE)[region] == pytest.approx(value, rel=0.001)
        assert detail(shaded, sharp.scale, FACE)[region] == pytest.approx(value, rel=0.06)
        assert detail(soft, sharp.scale, FACE)[region] < 0.85 * value


def test_sharpness_compares_like_with_like_at_the_coarser_scale(clip: list[Image8], faces: Faces) -> None:
    samples = [sample_of(image, faces, i) for i, image in enumerate(clip)]
    same = sharpness(samples[::2], samples[1::2], FACE, NAMES)
    assert all(np.nanmedian(v) == pytest.approx(1, abs=0.1) for v in same.values())
    large = [cv2.resize(image, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_LANCZOS4) for image in clip]
    (track,) = faces.tracks[:1]
    twice = replace(faces, tracks=(replace(track, landmarks=2 * track.landmarks),))
    enlarged = [sample_of(image, twice, i) for i, image in enumerate(large)]
    assert enlarged[0].scale == pytest.approx(2 * samples[0].scale, rel=0.03)
    assert all(np.nanmedian(v) == pytest.approx(1, abs=0.1) for v in sharpness(enlarged, samples, FACE, NAMES).values())
    turned = [replace(s, turn=s.turn + 40) for s in samples]
    assert all(np.isnan(v).all() for v in sharpness(samples, turned, FACE, NAMES).values())


def test_only_what_the_matte_covers_is_judged_for_sharpness(clip: list[Image8], faces: Faces) -> None:
    nothing = sample_of(clip[0], faces, 0, np.zeros(clip[0].shape[:2], np.float32))
    assert nothing.grey.shape == nothing.matte.shape and len(nothing.grey) == round(2 * HALF * nothing.scale)  # type: ignore[union-attr]
    assert np.isnan(list(detail(nothing, nothing.scale, FACE).values())).all()


# The verdict


@pytest.fixture(scope="module")
def again(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> MeasuredShot:
    """A lively stretch of the plate, and the same compressed again in place of the composite."""
    folder = tmp_path_factory.mktemp("again")
    with open_footage(samples / "cap13_edit2.mp4") as footage:
        frames = [frame.rgb8() for frame in footage.frames(0, LIVELY - 1)]
    like = _info(folder, frames[0])
    with MovieWriter(folder / "plate.mkv", like) as plate, MovieWriter(folder / "composite.mkv", like, "h264") as other:
        for image in frames:
            plate.write(image)
            other.write(image)
    for i, image in enumerate(frames):
        write_matte(
            folder / f"matte/matte.{i:04d}.exr", np.ones(image.shape[:2], np.float32), Roi(0, 0, 400, 300), 400, 300
        )
    return gather(folder, lambda done: None)


def acted(shot: MeasuredShot, act: Callable[[Float], Float]) -> MeasuredShot:
    """The same shot with other coefficients of the composite."""
    (face,) = shot.replaced
    changed = act(face.composite_coefficients.copy())
    return replace(shot, replaced=(replace(face, composite_coefficients=changed.astype(np.float32)),))


def test_the_plate_compressed_again_keeps_all_bars_of_the_expression(again: MeasuredShot) -> None:
    found = all_figures(again)
    assert found["expression_correlation"].value > 0.98
    assert found["expression_error"].value < 0.6
    barred = [f for f in found.values() if f.group and f.verdict != "info"]
    assert len(barred) == 15 and all(f.verdict == "pass" for f in barred)


def test_a_frozen_face_is_out_of_step_everywhere(again: MeasuredShot) -> None:
    frozen = acted(again, lambda c: np.broadcast_to(c[:1], c.shape))
    groups = ("gaze", "lids", "brows", "mouth", "jaw")
    assert {f"{g}_{what}" for g in groups for what in ("correlation", "gain")} <= missed(frozen)
    assert "out of step with the plate's: correlation 0.00" in overall(key_figures(frozen, measure_frames(frozen)))[1]


def test_half_of_the_plates_acting_misses_the_gains_and_nothing_else(again: MeasuredShot) -> None:
    half = acted(again, lambda c: c.mean(0) + 0.5 * (c - c.mean(0)))
    found = missed(half)
    assert {"gaze_gain", "lids_gain", "brows_gain", "mouth_gain", "jaw_gain"} == {n for n in found if "gain" in n}
    assert not any(n.endswith(("correlation", "offset")) for n in found)


def test_a_constant_frown_is_found_at_the_brows_and_said_first(again: MeasuredShot) -> None:
    def frown(c: Float) -> Float:
        c[:, [NAMES.index("browDownLeft"), NAMES.index("browDownRight")]] += 0.3
        return c

    frowning = acted(again, frown)
    assert {n for n in missed(frowning) if n.partition("_")[0] in ("gaze", "lids", "brows", "mouth", "jaw")} == {
        "brows_offset"
    }
    assert overall(key_figures(frowning, measure_frames(frowning)))[1].startswith(
        "Brows held differently throughout: offset 0.3"
    )
    assert "brow: down" in worst_frames(frowning, measure_frames(frowning))[0].reasons[0]


def test_a_calm_plate_must_stay_calm(again: MeasuredShot) -> None:
    brows = [i for i, name in enumerate(NAMES) if name.startswith("brow")]

    def still(c: Float) -> Float:
        c[:, brows] = 0.1
        return c

    (face,) = again.replaced
    calm = replace(again, replaced=(replace(face, plate_coefficients=still(face.plate_coefficients.copy())),))
    kept = all_figures(acted(calm, still))
    assert kept["brows_correlation"].shown == kept["brows_gain"].shown == "calm"
    assert (kept["brows_correlation"].verdict, kept["brows_offset"].verdict) == ("info", "pass")
    assert "brows_offset" in missed(acted(calm, lambda c: still(c) + np.isin(np.arange(len(NAMES)), brows) * 0.2))


def test_frames_where_plate_and_composite_part_are_named_by_their_coefficients(again: MeasuredShot) -> None:
    (face,) = again.replaced
    was = face.plate_coefficients[30, NAMES.index("eyeBlinkLeft")]

    def blink(c: Float) -> Float:
        c[30, NAMES.index("eyeBlinkLeft")] = was + 0.6
        return c

    shot = acted(again, blink)
    look = worst_frames(shot, measure_frames(shot))[0]
    assert look.frame == 30
    assert f"left eye: blink {was:.2f} on the plate, {was + 0.6:.2f} here" in look.reasons


def test_the_page_shows_the_worst_group_first(again: MeasuredShot) -> None:
    def stiff(c: Float) -> Float:
        mouth = [i for i, name in enumerate(NAMES) if name.startswith("mouth")]
        c[:, mouth] = c[:, mouth].mean(0)
        return c

    shot = acted(again, stiff)
    facts = {"shot": "s", "frames": LIVELY, "first": 0, "width": 1, "height": 1, "created": "now", "verdict": "fail"}
    facts |= {"summary": "", "notes": [], "cuts": [], "faces": [0], "schema_": "none"}
    report: Any = SimpleNamespace(**facts)
    page = render_page(shot, measure_frames(shot), key_figures(shot, measure_frames(shot)), report, [], [])
    assert re.findall(r"<h3>(\w+)</h3>", page)[0] == "mouth"
    assert "correlation 0.00, gain 0.00" in page


# Likeness


def test_a_composite_that_is_still_the_plates_performer_is_told(
    tmp_path: Path, samples: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    source = cut(samples / "franck.mp4", tmp_path / "franck.mp4", 300, 24)
    report = write_report(name_source(write_shot(tmp_path / "shot", clip, matte=matte), source))
    found = figures(report)
    assert found["likeness"]["value"] > 0.62 and found["likeness"]["verdict"] == "fail"
    assert found["nearer_source"]["value"] == 0 and "like" in report["summary"].split(":")[0]
    assert len(report["faces"][0]["sampled"]["frames"]) == 8


def test_the_same_person_is_alike_and_a_soft_composite_is_told(
    tmp_path: Path, samples: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    source = cut(samples / "cap13_edit2.mp4", tmp_path / "source.mp4", FIRST - 20, COUNT + 30)
    soft = lambda i, image: cv2.GaussianBlur(image, (0, 0), 1.2)  # noqa: E731
    sharp = figures(write_report(name_source(write_shot(tmp_path / "sharp", clip, matte=matte), source)))
    blurred = figures(write_report(name_source(write_shot(tmp_path / "soft", clip, soft, matte), source)))
    assert sharp["likeness"]["value"] < 0.45 and sharp["likeness"]["verdict"] == "pass"
    with open_footage(source) as footage:
        analyse(footage)  # as Swap does
    again = figures(write_report(tmp_path / "sharp"))
    assert again["likeness"]["value"] == pytest.approx(sharp["likeness"]["value"], abs=0.03)
    for name in ("sharpness_skin", "sharpness_brows", "sharpness_eyes", "sharpness_mouth"):
        assert sharp[name]["value"] == pytest.approx(1, abs=0.12), name
        assert blurred[name]["value"] < 0.85 and blurred[name]["verdict"] == "fail", name


def test_a_source_that_cannot_be_used_is_said_and_fails_nothing(
    tmp_path: Path, samples: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    shot = write_shot(tmp_path / "shot", clip[:8], matte=matte)
    other = cut(samples / "franck.mp4", tmp_path / "franck.mp4", 300, 3)
    for told, why in (
        (None, "source's footage is not known"),
        ({"path": str(tmp_path / "gone.mp4")}, "does not exist"),
        ({"digest": "0"}, "is other footage than the shot was made from"),
    ):
        if told:
            name_source(shot, other, **told)
        report = write_report(shot)
        assert any(why in note for note in report["notes"]), report["notes"]
        assert not any(str(tmp_path) in note for note in report["notes"])
        assert figures(report)["likeness"]["verdict"] == figures(report)["sharpness_skin"]["verdict"] == "unmeasured"
        assert report["verdict"] == "pass" and "distance to the source" in report["summary"]


# Other subjects


def test_a_subject_without_coefficients_is_measured_by_what_it_has(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    document = json.loads(FACE.file.read_text("utf-8"))
    for name in ("coefficients", "parts", "openings"):
        del document[name]
    triangles = FACE.file.parent / document["triangles"]
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(document | {"name": "plain", "triangles": str(triangles)}), "utf-8")
    shot = write_shot(tmp_path / "shot", clip, matte=matte)
    told = shot_document({"plate": {"path": "", "digest": ""}}, settings={"detect": {"subject": str(plain)}})
    (shot / "shot.json").write_text(json.dumps(told), "utf-8")
    report = write_report(shot)
    found = figures(report)
    assert report["verdict"] == "pass"
    assert not any(f["group"] or f["name"].startswith(("expression", "likeness")) for f in report["figures"])
    assert found["landmark_error"]["value"] == 0 and found["flicker_median"]["verdict"] == "pass"
    assert "Curves of the expression" not in (shot / "report.html").read_text("utf-8")


# The report


def test_an_untouched_composite_keeps_every_bar(tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]) -> None:
    told: list[float] = []
    report = write_report(write_shot(tmp_path, clip, matte=matte), told.append)
    found = figures(report)
    assert report["verdict"] == "pass"
    assert found["landmark_error"]["value"] == 0
    assert found["flicker_median"]["value"] == pytest.approx(1)
    assert found["mouth_gain"]["value"] == found["expression_correlation"]["value"] == pytest.approx(1)
    assert told == sorted(told) and told[-1] == 1


def test_the_documents_are_json_and_one_page_without_references(
    tmp_path: Path, clip: list[Image8], matte: tuple[Roi, Float]
) -> None:
    shot = write_shot(tmp_path / "a <shot> & more", clip, matte=matte)
    told = shot_document({"plate": {"path": "", "digest": "<b>reference</b>"}})
    (shot / "shot.json").write_text(json.dumps(told), "utf-8")
    report = write_report(shot)
    assert json.loads((shot / "report.json").read_text("utf-8")) == report
    assert report["schema"] == "faceplate.report/2"
    assert len(report["per_frame"]["coverage_percent"]) == report["frames"] == COUNT
    assert np.shape(report["faces"][0]["transform"]["raw"]) == (COUNT, 4)
    curves_told = report["per_frame"]["coefficients"][0]
    assert list(curves_told["plate"]) == list(NAMES) and len(curves_told["composite"]["jawOpen"]) == COUNT
    page = (shot / "report.html").read_text("utf-8")
    assert len(page) < 6e6
    assert "//" not in re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", page), "no address of anything"
    links = re.findall(r'(?:src|href)="([^"]{5})', page)
    assert links and all(link == "data:" or link.startswith("#") for link in links)
    assert 5 + 2 <= page.count("<svg") <= 5 + 6 and "<script" not in page
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
    report = write_report(write_shot(tmp_path, clip, lambda i, image: clip[0].copy(), matte))
    found = figures(report)
    assert found["jaw_gain"]["value"] < 0.1 and found["jaw_gain"]["verdict"] == found["mouth_gain"]["verdict"] == "fail"
    assert any("jaw: open" in reason for look in report["look_first"] for reason in look["reasons"])


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
    with pytest.raises(FootageError, match="has 1 frame of 400x300, the plate 3"):
        write_report(shot)
    assert {p.name for p in shot.iterdir()} == {"plate.mkv", "composite.mkv"}


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path, clip: list[Image8]) -> None:
    shot = write_shot(tmp_path, clip[:2])
    (shot / "report.json").mkdir()
    with pytest.raises(OutputError, match=r"report\.json"):
        write_report(shot)
    assert {p.name for p in shot.iterdir()} == {"plate.mkv", "composite.mkv", "report.json"}
