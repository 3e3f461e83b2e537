"""The media of results: right pictures, alpha, timecode, numbers and lengths, in every form; and each frame at its place in the edit."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO as oiio
import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Media, Shot
from host_bridge.timeline.write.diff import diff_edits
from host_bridge.timeline.write.media import result_media
from host_bridge.timeline.write.tree import free_name
from nodes.credentials.identity import load_trust
from nodes.credentials.verify import verify
from nodes.errors import OutputError
from nodes.footage.footage import open_footage
from nodes.footage.info import FootageInfo
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.patch_files import read_patch
from nodes.footage.probe import timecode_in
from nodes.footage.rates import is_drop, number_of, timecode_of
from nodes.progress import quiet
from nodes.shot.layers import straight
from tests.support.numbered import numbered_images, numbered_movie, numbers_in
from tests.support.random_edits import item, span, time
from tests.support.timeline_results import done_shot, run_of, swapped

Run = Callable[..., tuple[int, str, str]]
F23, F29, F59 = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
RATES = [F23, Fraction(24), Fraction(25), F29, Fraction(50), F59]
MOVIES = ["prores4444", "dnxhr", "h264"]
SIZE = (288, 128)


# --- timecode ---


@pytest.mark.parametrize(
    ("label", "rate", "number"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("01:00:00:00", Fraction(24), 86400),
        ("01:00:00:00", F23, 86400),
        ("10:00:00:00", Fraction(50), 1800000),
        ("00:00:59;29", F29, 1799),
        ("00:01:00;02", F29, 1800),
        ("00:10:00;00", F29, 17982),
        ("01:00:00;00", F29, 107892),
        ("00:01:00;04", F59, 3600),
        ("01:00:00;00", F59, 215784),
        ("01:00:00:00", F29, 108000),
    ],
)
def test_timecode_counts_frames_drop_frame_or_not(label: str, rate: Fraction, number: int) -> None:
    assert number_of(label, rate) == number
    assert timecode_of(number, rate, drop=is_drop(label)) == label


@given(st.integers(0, 2_589_407), st.sampled_from([F29, F59]))
def test_drop_frame_labels_follow_the_clock_and_lead_back(number: int, rate: Fraction) -> None:
    label = timecode_of(number, rate, drop=True)
    assert number_of(label, rate) == number
    hours, minutes, rest = label.split(":")
    clock = 3600 * int(hours) + 60 * int(minutes) + int(rest[:2]) + int(rest[3:]) / round(rate)
    assert abs(clock - number / rate) < 0.14


@pytest.mark.parametrize("label", ["", "1:2", "00:00:00:25", "00:61:00:00", "aa:00:00:00"])
def test_what_is_no_timecode_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="is no timecode"):
        number_of(label, Fraction(25))


# --- codecs ---


def picture(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """Smooth colours with an edge in them, as displayed, float32 [H, W, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    red = 0.5 + 0.45 * np.sin(x / 23 + number)
    green = 0.5 + 0.45 * np.cos(y / 17 - number)
    blue = np.where(x + y < 90 + 3 * number, 0.2, 0.7)
    return np.dstack([red, green, blue]).astype(np.float32)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(1 / np.mean((a.astype(np.float64) - b) ** 2)))


def described(rate: Fraction = Fraction(25), frames: int = 4) -> FootageInfo:
    return FootageInfo(Path("made"), SIZE[0], SIZE[1], rate, frames)


def test_prores_keeps_straight_colour_and_alpha_to_a_code(tmp_path: Path) -> None:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    alpha = np.clip(1.4 - np.hypot(x - 140, y - 60) / 50, 0, 1).astype(np.float32)
    drawn = [np.dstack([picture(i), alpha]).astype(np.float32) for i in range(4)]
    with MovieWriter(tmp_path / "a.mov", described(), "prores4444", timecode="10:00:00:05") as writer:
        for one in drawn:
            writer.write(one)
    with open_footage(tmp_path / "a.mov") as footage:
        info = footage.info
        assert (info.frames, info.rate, info.has_alpha) == (4, 25, True)
        assert (info.tags.space, info.tags.range, info.tags.primaries, info.tags.transfer) == (1, 1, 1, 1)
        for frame, one in zip(footage.frames(), drawn, strict=True):
            found = frame.alpha()
            assert found is not None and np.abs(found - one[..., 3]).max() <= 0.75 / 1023
            error = np.abs(frame.rgb() - one[..., :3])
            assert error.max() < 8 / 255 and psnr(frame.rgb(), one[..., :3]) > 50
    assert timecode_in(tmp_path / "a.mov") == "10:00:00:05"


@pytest.mark.parametrize("source", ["yuv420p", "yuv422p10le", "yuvj420p", "bgr0"])
@pytest.mark.parametrize(("codec", "least"), [("prores4444", 44), ("dnxhr", 37), ("avc", 36)])
def test_a_movie_keeps_its_look_its_matrix_and_its_length(
    tmp_path: Path, codec: Any, least: float, source: str
) -> None:
    made = tmp_path / "plate.mkv"
    tags = {"yuvj420p": (6, 2), "bgr0": (0, 2)}.get(source, (1, 1))
    with av.open(str(made), "w") as output:
        stream = output.add_stream("ffv1", rate=25, options={"level": "3"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, source.replace("yuvj", "yuv")
        context = stream.codec_context
        context.colorspace, context.color_range = tags
        for i in range(4):
            image = av.VideoFrame.from_ndarray((picture(i) * 255 + 0.5).astype(np.uint8), "rgb24")
            spaces = (
                {} if source == "bgr0" else {"dst_colorspace": 1 if tags[0] == 1 else 5, "dst_color_range": tags[1]}
            )
            coded = image.reformat(format=source.replace("yuvj", "yuv"), **spaces)
            coded.colorspace, coded.color_range = tags
            output.mux(stream.encode(coded))
        output.mux(stream.encode(None))
    with open_footage(made) as plate, MovieWriter(tmp_path / "a.mov", plate.info, codec) as writer:
        before = [frame.rgb() for frame in plate.frames()]
        for frame in plate.frames():
            writer.write(frame)
    with open_footage(tmp_path / "a.mov") as footage:
        assert footage.info.frames == 4 and footage.info.tags.range == 1
        assert footage.info.tags.space == (6 if source == "yuvj420p" and codec != "dnxhr" else 1)
        worst = min(psnr(frame.rgb(), was) for frame, was in zip(footage.frames(), before, strict=True))
        assert worst > least, f"{codec} of {source}: {worst:.1f} dB"


@pytest.mark.parametrize(
    ("codec", "size", "alpha", "said"),
    [
        ("dnxhr", (300, 200), True, "DNxHR HQX has no alpha"),
        ("avc", (300, 200), True, "H.264 has no alpha"),
        ("dnxhr", (200, 100), False, "the least is 256x120"),
        ("dnxhr", (301, 200), False, "odd size"),
        ("avc", (300, 201), False, "odd size"),
    ],
)
def test_what_a_codec_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, codec: Any, size: tuple[int, int], alpha: bool, said: str
) -> None:
    path = tmp_path / "plate.mkv"
    if not alpha:
        with MovieWriter(path, described()) as writer:
            writer.write(np.zeros((size[1], size[0], 3), np.uint8))
        frame: Any = open_footage(path).frame(0)
        path.unlink()
    else:
        frame = np.zeros((size[1], size[0], 4), np.float32)
    with pytest.raises(OutputError, match=said), MovieWriter(tmp_path / "a.mov", described(), codec) as writer:
        writer.write(frame)
    assert not list(tmp_path.iterdir())


def test_the_same_pictures_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.mov", "b.mov"):
        with MovieWriter(tmp_path / name, described(), "prores4444", timecode="01:00:00:00") as writer:
            writer.write(np.dstack([picture(1), picture(2)[..., :1]]).astype(np.float32))
    assert (tmp_path / "a.mov").read_bytes() == (tmp_path / "b.mov").read_bytes()


# --- results ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


def movie(folder: Path, rate: Fraction, start: int | str | None = None) -> Path:
    """A plate of 60 frames, which say their position, with a timecode of one hour unless told otherwise; made once."""
    label = timecode_of(3600 * round(rate), rate) if start is None else start
    path = folder / f"plate{rate.numerator}_{rate.denominator}_{str(label).replace(':', '').replace(';', 'd')}.mov"
    return path if path.exists() else numbered_movie(path, 60, rate, start=label, size=SIZE)


def swap_of(folder: Path, plate: Path, shot: tuple[int, int], *, start: int, rate: Fraction) -> ShotRecord:
    """A finished shot of a plate."""
    name = f"{plate.stem.replace('%', '')}-{shot[0]}-{shot[1]}"
    if not (folder / "shots" / name / "shot.json").exists():
        swapped(folder / "shots" / name, plate, shot, rate=rate)
    media = Media(url=str(plate), path=plate, rate=rate, start=start, frames=60)
    return done_shot(name, (0, 0), media, shot, Path("shots") / name)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("choice", MOVIES)
def test_a_result_as_a_movie_has_the_rate_length_timecode_and_frames_of_its_part_of_the_plate(
    folder: Path, choice: Any, rate: Fraction
) -> None:
    start = 3600 * round(rate)
    shot = swap_of(folder, movie(folder, rate), (7, 16), start=start, rate=rate)
    made = result_media(shot, folder, "composite", choice, quiet)
    assert (made.start, made.frames, made.number) == (start + 7, 10, None)
    with open_footage(made.path) as footage:
        assert (footage.info.rate, footage.info.frames) == (rate, 10)
    assert timecode_in(made.path) == timecode_of(start + 7, rate)
    assert numbers_in(made.path) == list(range(7, 17))
    with av.open(str(made.path)) as container:
        assert {s.type for s in container.streams} == {"video", "data"}
    (signed,) = verify(made.path, load_trust())
    assert (signed.state, signed.manifest.swap["part"]) == ("own", "composite")


@pytest.mark.parametrize(
    ("rate", "label", "expected"), [(F29, "01:00:59;25", "01:01:00;04"), (F59, "01:00:59;50", "01:00:59;57")]
)
def test_drop_frame_timecode_goes_on_as_the_plate_has_it(
    folder: Path, rate: Fraction, label: str, expected: str
) -> None:
    shot = swap_of(folder, movie(folder, rate, label), (7, 16), start=number_of(label, rate), rate=rate)
    made = result_media(shot, folder, "composite", "prores4444", quiet)
    assert timecode_in(made.path) == expected
    assert number_of(expected, rate) == made.start


def test_a_plate_without_timecode_gives_results_that_begin_at_their_frame(folder: Path) -> None:
    plate = numbered_movie(folder / "bare.mp4", 60, 25, size=SIZE)
    made = result_media(swap_of(folder, plate, (7, 16), start=0, rate=Fraction(25)), folder, "composite", "h264", quiet)
    assert timecode_in(made.path) == "00:00:00:07"


def test_the_patch_as_prores_laid_over_the_plate_gives_the_composite(folder: Path) -> None:
    rate = Fraction(25)
    shot = swap_of(folder, movie(folder, rate), (7, 16), start=90000, rate=rate)
    made = result_media(shot, folder, "patch", "prores4444", quiet)
    assert made.alpha == "straight"
    worst, seen = over_plate(made.path, folder / str(shot.folder))
    assert worst > 60 and seen > 0.005
    assert timecode_in(made.path) == timecode_of(90007, rate)


def over_plate(patch: Path, shot: Path) -> tuple[float, float]:
    """The lowest PSNR of a patch laid over the plate as displayed against the composite, and how much of the frame it covers."""
    worst, seen = 99.0, 0.0
    with (
        open_footage(patch) as top,
        open_footage(shot / "plate.mkv") as plate,
        open_footage(shot / "composite.mkv") as end,
    ):
        for a, b, c in zip(top.frames(), plate.frames(), end.frames(), strict=True):
            alpha = a.alpha()
            assert alpha is not None
            laid = a.rgb() * alpha[..., None] + b.rgb() * (1 - alpha[..., None])
            assert not alpha[:4].any()
            worst, seen = min(worst, psnr(laid, c.rgb())), max(seen, float(alpha.mean()))
    return worst, seen


def test_the_patch_as_pictures_is_numbered_by_the_edits_count_and_gives_the_composite(folder: Path) -> None:
    shot = swap_of(folder, movie(folder, Fraction(25)), (7, 16), start=90000, rate=Fraction(25))
    made = result_media(shot, folder, "patch", "sequence", quiet)
    assert (made.path.name, made.number, made.alpha) == (f"{shot.id}.%05d.png", 90007, "straight")
    worst, seen = over_plate(made.path, folder / str(shot.folder))
    assert worst > 60 and seen > 0.005
    written = result_media(shot, folder, "patch", "written", quiet)
    assert (written.number, written.start, written.alpha) == (7, 90007, "premultiplied")
    with open_footage(written.path) as footage:
        assert footage.info.frames == 10 and footage.info.first == 7


def keyed(tmp_path: Path, name: str) -> Path:
    """A plate of 4 frames whose left half is transparent, of pixels of 16:15."""
    alpha = np.ones((SIZE[1], SIZE[0], 1), np.float32)
    alpha[:, : SIZE[0] // 2] = 0.5
    alpha[:, : SIZE[0] // 4] = 0
    drawn = [np.dstack([picture(i), alpha]).astype(np.float32) for i in range(4)]
    if name.endswith(".mov"):
        like = replace(described(), pixel_aspect=Fraction(16, 15))
        with MovieWriter(tmp_path / name, like, "prores4444") as writer:
            for one in drawn:
                writer.write(one)
        return tmp_path / name
    for i, one in enumerate(drawn):
        spec = oiio.ImageSpec(SIZE[0], SIZE[1], 4, oiio.UINT16 if name.endswith(".png") else oiio.HALF)
        spec.attribute("oiio:UnassociatedAlpha", 1)
        spec.attribute("PixelAspectRatio", 16 / 15)
        colour = (
            one[..., :3]
            if name.endswith(".png")
            else np.where(one[..., :3] > 0.04045, ((one[..., :3] + 0.055) / 1.055) ** 2.4, one[..., :3] / 12.92) * alpha
        )
        path = str(tmp_path / name) % (1001 + i)
        output = oiio.ImageOutput.create(path)
        assert output.open(path, spec) and output.write_image(
            np.ascontiguousarray(np.dstack([colour, alpha]), np.float32)
        )
        output.close()
    return tmp_path / name


@pytest.mark.parametrize("name", ["keyed.mov", "keyed.%04d.png", "keyed.%04d.exr"])
def test_a_keyed_plate_keeps_its_alpha_and_the_shape_of_its_pixels(tmp_path: Path, name: str) -> None:
    rate = Fraction(25)
    plate = keyed(tmp_path, name)
    shot = swap_of(tmp_path, plate, (1, 3), start=1001, rate=rate)
    made = result_media(shot, tmp_path, "composite", "prores4444", quiet)
    assert made.alpha == "straight"
    with open_footage(made.path) as footage, open_footage(plate, rate=rate) as before:
        assert (footage.info.has_alpha, footage.info.frames) == (True, 3)
        if name.endswith(("mov", "exr")):
            assert footage.info.pixel_aspect == Fraction(16, 15)
        for i, frame in enumerate(footage.frames()):
            wanted, found = before.frame(1 + i), frame.alpha()
            assert found is not None and np.abs(found - wanted.alpha()).max() <= 1.5 / 1023
            seen = np.s_[:64, SIZE[0] // 4 :]  # above the patch
            straight = picture(1 + i)[seen]
            assert psnr(frame.rgb()[seen], straight) > 38
    for choice in ("dnxhr", "h264"):
        with pytest.raises(OutputError, match=r"has no alpha.*prores4444"):
            result_media(shot, tmp_path, "composite", choice, quiet)  # type: ignore[arg-type]
        assert not list((tmp_path / "media").glob(f"*{CODES[choice]}*.mov"))


CODES = {"dnxhr": "dnxhr", "h264": "avc"}


@pytest.mark.parametrize("choice", ["dnxhr", "h264"])
def test_a_patch_needs_a_codec_with_alpha(folder: Path, choice: Any) -> None:
    shot = swap_of(folder, movie(folder, Fraction(25)), (7, 16), start=90000, rate=Fraction(25))
    with pytest.raises(OutputError, match=r"has no alpha.*prores4444"):
        result_media(shot, folder, "patch", choice, quiet)


@pytest.mark.parametrize("first", [1001, 86400])
def test_of_a_sequence_the_composites_own_pictures_are_taken_and_named_again_where_the_edit_counts_otherwise(
    tmp_path: Path, first: int
) -> None:
    plate = numbered_images(tmp_path / "plate", 20, first)
    shot = swap_of(tmp_path, plate, (3, 8), start=first, rate=F23)
    made = result_media(shot, tmp_path, "composite", "sequence", quiet)
    assert made.path.parent == tmp_path / str(shot.folder) / "composite" and made.number == first + 3
    assert numbers_in(made.path) == list(range(first + 3, first + 9))
    moved = shot.model_copy(update={"media": replace(shot.media, start=7)})
    again = result_media(moved, tmp_path, "composite", "sequence", quiet)
    assert (again.number, again.start) == (10, 10)
    assert numbers_in(again.path) == list(range(first + 3, first + 9))
    movie = result_media(shot, tmp_path, "composite", "prores4444", quiet)
    assert timecode_in(movie.path) == timecode_of(first + 3, F23)
    with open_footage(movie.path) as footage:
        assert footage.info.rate == F23
    laid, _ = over_sequence(tmp_path, shot, plate, 3)
    assert laid > 45


def over_sequence(tmp_path: Path, shot: ShotRecord, plate: Path, first: int) -> tuple[float, float]:
    patch = result_media(shot, tmp_path, "patch", "prores4444", quiet)
    with open_footage(patch.path) as top, open_footage(plate) as plates:
        top_frame, plate_frame = top.frame(2), plates.frame(first + 2)
        number = plates.info.first + first + 2
        drawn = straight(
            plate_frame, read_patch(tmp_path / str(shot.folder) / "patch" / f"patch.{number:04d}.exr"), 1023
        )
        alpha = top_frame.alpha()
        assert alpha is not None
        return psnr(top_frame.rgb() * alpha[..., None], drawn[..., :3] * drawn[..., 3:]), float(alpha.mean())


def test_what_is_made_is_not_made_again_and_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 30, 25, start="01:00:00:00", size=SIZE)
    shot = swap_of(tmp_path, plate, (2, 11), start=90000, rate=Fraction(25))
    shot = shot.model_copy(update={"media": replace(shot.media, frames=30)})
    movie = result_media(shot, tmp_path, "composite", "h264", quiet).path
    stamp = movie.stat().st_mtime_ns
    assert result_media(shot, tmp_path, "composite", "h264", quiet).path.stat().st_mtime_ns == stamp

    pictures = result_media(shot, tmp_path, "patch", "sequence", quiet).path
    assert [v.state for v in verify(pictures, load_trust())] == ["own"]
    files = sorted(pictures.parent.glob("*.png"))
    before = {f.name: f.stat().st_mtime_ns for f in files}
    for file in files[6:]:
        file.unlink()
    told: list[int] = []
    result_media(shot, tmp_path, "patch", "sequence", lambda stage, done, total: told.append(done))
    after = {f.name: f.stat().st_mtime_ns for f in sorted(pictures.parent.glob("*.png"))}
    assert list(after) == list(before) and all(after[f.name] == before[f.name] for f in files[:6])
    assert 7 in told and 3 not in told

    # Another swap in the same place is another result.
    shutil.rmtree(tmp_path / str(shot.folder))
    swapped(tmp_path / str(shot.folder), plate, (2, 11), disc=40)
    result_media(shot, tmp_path, "composite", "h264", quiet)
    assert movie.stat().st_mtime_ns != stamp
    result_media(shot, tmp_path, "patch", "sequence", quiet)
    assert all(f.stat().st_mtime_ns != before[f.name] for f in pictures.parent.glob("*.png"))


def test_an_interrupted_movie_leaves_nothing_under_its_name(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 30, 25, size=SIZE)
    shot = swap_of(tmp_path, plate, (2, 11), start=90000, rate=Fraction(25))

    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        result_media(shot, tmp_path, "composite", "prores4444", stop)
    assert not list((tmp_path / "media").glob("*.mov")) and not list((tmp_path / "media").glob(".*"))
    made = result_media(shot, tmp_path, "composite", "prores4444", quiet)
    assert numbers_in(made.path) == list(range(2, 12))


def test_a_swap_of_other_frames_than_the_shot_is_refused(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 30, 25, size=SIZE)
    shot = swap_of(tmp_path, plate, (2, 11), start=0, rate=Fraction(25))
    with pytest.raises(OutputError, match=r"holds 10 frames where the shot .* has 11.*Run the timeline again"):
        result_media(shot.model_copy(update={"span": (2, 12)}), tmp_path, "composite", "written", quiet)


# --- in the edit: the frames that each clip shows ---


def write_edit(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document), "utf-8")
    return path


def clip(
    media: Path, start: float, duration: float, rate: float, there: dict[str, Any], speed: float | None = None
) -> dict[str, Any]:
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": media.name,
        "available_range": there,
        "available_image_bounds": None,
        "target_url": str(media),
    }
    warp = {"OTIO_SCHEMA": "LinearTimeWarp.1", "metadata": {}, "name": "", "effect_name": "", "time_scalar": speed}
    freeze = {"OTIO_SCHEMA": "FreezeFrame.1", "metadata": {}, "name": "", "effect_name": "", "time_scalar": 0.0}
    found = item("Clip.2", media.stem, span(start, duration, rate), media_references={"DEFAULT_MEDIA": reference})
    found["effects"] = [] if speed is None else [freeze if speed == 0 else warp]
    return found | {"active_media_reference_key": "DEFAULT_MEDIA"}


def timeline(children: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    track = item("Track.1", "Video 1", None, children=children, kind="Video")
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": "cut",
        "global_start_time": time(86400, rate),
        "tracks": item("Stack.1", "", None, children=[track]),
    }


def as_others_see(document: dict[str, Any]) -> dict[str, Any]:
    """The document without our metadata and with no media but those that are shown."""

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(child) for child in node]
        if not isinstance(node, dict):
            return node
        found = {k: plain(v) for k, v in node.items()}
        if "media_references" in found:
            shown = found["media_references"][found["active_media_reference_key"]]
            found["media_references"], found["active_media_reference_key"] = {"DEFAULT_MEDIA": shown}, "DEFAULT_MEDIA"
        return found | ({"metadata": {}} if "metadata" in found else {})

    return dict(plain(document))


def shots_in(tmp_path: Path, document: dict[str, Any], name: str = "seen.otio") -> list[Shot]:
    return find_shots(read_edit(write_edit(tmp_path / name, document)), results=True)


def exported(
    tmp_path: Path, run: Run, document: dict[str, Any], mode: str, *options: object
) -> tuple[list[Shot], dict[str, Any]]:
    """Swap all shots of an edit, export it by the command, and give the shots as they were with the document that came out."""
    path = write_edit(tmp_path / "cut.otio", document)
    edit = read_edit(path)
    out, shots, done = tmp_path / "cut.faceplate", find_shots(edit, handles=1), []
    for shot in shots:
        assert shot.media.path is not None
        swapped(out / "shots" / shot.id, shot.media.path, shot.span, rate=shot.media.rate)
        media = Media(
            url=shot.media.url,
            path=shot.media.path,
            rate=shot.media.rate,
            start=shot.media.start,
            frames=shot.media.frames,
        )
        done.append(done_shot(shot.id, shot.where, media, shot.span))
    run_of(edit, *done, out=out)
    target = tmp_path / "out" / "cut.otio"
    status, _, err = run("timeline", "export", path, "--as", mode, "--out", target, *options)
    assert status == 0, err
    assert run("timeline", "diff", path, target, "--only-faceplate") == (0, "", "")
    return shots, json.loads(target.read_text("utf-8"))


WAYS = [("swap", "--profile", "otio"), ("swap", "--profile", "resolve"), ("swap", "--profile", "blender", "--media", "sequence"),
    ("layer", "--profile", "resolve"), ("layer", "--profile", "blender"), ("versions", "--profile", "resolve", "--media", "h264"),
]  # fmt: skip
CASES = [(F29, Fraction(25), *way) for way in WAYS] + [
    (sequence, rate, *WAYS[0]) for sequence, rate in zip(RATES, (F23, F23, Fraction(50), F29, Fraction(25), Fraction(24)), strict=True)
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: " ".join(map(str, c)).replace("--", ""))
def test_every_clip_shows_the_result_of_the_very_frame_that_it_showed(
    tmp_path: Path, folder: Path, run: Run, case: tuple[Any, ...]
) -> None:
    sequence, rate, mode, *options = case
    plate, begin = movie(folder, rate), 3600 * round(rate)
    there = span(begin, 60, float(rate))

    def used(position: float, count: int, speed: float | None = None) -> dict[str, Any]:
        start = float(Fraction(begin + position) / rate * sequence)
        return clip(plate, start, count, float(sequence), there, speed)

    inner = item("Track.1", "Video 1", None, children=[used(12, 10, 2.0), used(30, 8)], kind="Video")
    nest = item("Stack.1", "compound", span(4, 12, float(sequence)), children=[inner])
    dissolve = {
        "OTIO_SCHEMA": "Transition.1",
        "metadata": {},
        "name": "",
        "in_offset": time(3, float(sequence)),
        "out_offset": time(2, float(sequence)),
        "transition_type": "SMPTE_Dissolve",
    }
    children = [
        used(5, 12), used(20, 10, 0.5), used(20, 10, -1.0), used(14, 10, 0.43), used(33, 6, 0.0), used(10, 12), dissolve, used(25, 14), nest,
    ]  # fmt: skip
    shots, document = exported(tmp_path, run, timeline(children, float(sequence)), mode, *options)
    after = [s for s in shots_in(tmp_path, as_others_see(document)) if s.media.path != plate]
    assert len(after) == len(shots) == 9

    def when(shot: Shot) -> tuple[int, int]:
        return shot.record

    for was, now in zip(sorted(shots, key=when), sorted(after, key=when), strict=True):
        assert now.media.path is not None and now.media.path != was.media.path and now.media.rate == rate
        assert (now.record, now.rate) == (was.record, was.rate)
        assert [p + now.media.start for p in now.frames] == [p + was.media.start for p in was.frames]
        if mode != "layer":  # in the corner of a patch there is nothing
            assert numbers_in(now.media.path, now.frames) == list(was.frames)


# --- hand-over ---


def test_a_bundle_holds_plates_and_results_and_opens_elsewhere(tmp_path: Path, folder: Path, run: Run) -> None:
    plate = movie(folder, Fraction(25))
    images = numbered_images(tmp_path / "images", 20, 1001)
    document = timeline(
        [clip(plate, 90005, 10, 25.0, span(90000, 60, 25.0)), clip(plate, 90030, 10, 25.0, span(90000, 60, 25.0))], 25.0
    )
    reference = {
        "OTIO_SCHEMA": "ImageSequenceReference.1",
        "metadata": {},
        "name": "",
        "available_range": span(1001, 20, 25.0),
        "available_image_bounds": None,
        "target_url_base": f"{images.parent}/",
        "name_prefix": "plate.",
        "name_suffix": ".png",
        "start_frame": 1001,
        "frame_step": 1,
        "rate": 25.0,
        "frame_zero_padding": 4,
        "missing_frame_policy": "error",
    }
    third = clip(plate, 1004, 8, 25.0, span(1001, 20, 25.0))
    third["media_references"]["DEFAULT_MEDIA"] = reference
    document["tracks"]["children"][0]["children"].append(third)
    shots, _ = exported(tmp_path, run, document, "swap")
    for suffix in (".otioz", ".otiod"):
        target = tmp_path / f"hand{suffix}"
        status, _, err = run("timeline", "export", tmp_path / "cut.otio", "--out", target)
        assert status == 0, err
        elsewhere = tmp_path / f"elsewhere{suffix}"
        elsewhere.mkdir()
        moved = elsewhere / target.name
        shutil.move(target, moved)
        opened = otio.adapters.read_from_file(str(moved))
        assert len(opened.tracks[0]) == 3
        edit = read_edit(moved)
        for was, now in zip(shots, find_shots(edit), strict=True):
            # The plate, for a result is never taken for one; it lies in the bundle.
            assert now.media.path is not None and now.media.path.is_relative_to(elsewhere)
            assert list(now.frames) == list(was.frames)
            assert numbers_in(now.media.path, now.frames[:2]) == numbers_in(was.media.path or Path(), was.frames[:2])
        text = (
            (moved / "content.otio").read_text()
            if moved.is_dir()
            else zipfile.ZipFile(moved).read("content.otio").decode()
        )
        shown = as_others_see(json.loads(text))
        (elsewhere / "hand.otiod").mkdir(exist_ok=True)
        base = moved if moved.is_dir() else edit.places.folder
        for node in shown["tracks"]["children"][0]["children"]:
            found = node["media_references"]["DEFAULT_MEDIA"]
            key = "target_url" if "target_url" in found else "target_url_base"
            found[key] = str(base / found[key]) + ("/" if key.endswith("base") else "")
        for was, now in zip(shots, shots_in(elsewhere, shown), strict=True):
            expected = [p + (1001 if was.media.path == images else 0) for p in was.frames]
            assert now.media.path is not None and numbers_in(now.media.path, now.frames) == expected


def test_files_of_one_name_get_two_in_a_bundle() -> None:
    assert free_name("a.mov", set()) == "a.mov"
    assert free_name("a.mov", {"A.MOV"}) == "a-2.mov"
    assert free_name("a.mov", {"a.mov", "a-2.mov"}) == "a-3.mov"


@pytest.mark.parametrize("suffix", [".edl", ".xml", ".fcpxml", ".aaf"])
def test_other_formats_are_written_and_what_they_cannot_say_is_listed(
    tmp_path: Path, folder: Path, run: Run, suffix: str
) -> None:
    plate = movie(folder, Fraction(25))
    cut = timeline([clip(plate, 90005, 10, 25.0, span(90000, 60, 25.0))], 25.0)
    exported(tmp_path, run, cut, "swap", "--media", "h264")
    target = tmp_path / f"cut{suffix}"
    status, said, err = run("timeline", "export", tmp_path / "cut.otio", "--media", "h264", "--out", target)
    assert status == 0, err
    assert "not in this format: " in said
    edit = read_edit(target)
    found = [c for c in edit.timeline.find_clips() if c.parent().kind == "Video"]
    assert len(found) == 1 and found[0].duration().value == 10


def test_relative_paths_still_lead_to_the_media_when_the_document_goes_elsewhere(
    tmp_path: Path, folder: Path, run: Run
) -> None:
    shutil.copy(movie(folder, Fraction(25)), tmp_path / "plate.mov")
    document = timeline([clip(tmp_path / "plate.mov", 90005, 10, 25.0, span(90000, 60, 25.0))], 25.0)
    document["tracks"]["children"][0]["children"][0]["media_references"]["DEFAULT_MEDIA"]["target_url"] = "plate.mov"
    _, out = exported(tmp_path, run, document, "layer", "--media", "sequence")
    below = out["tracks"]["children"][0]["children"][0]["media_references"]["DEFAULT_MEDIA"]
    assert below["target_url"] == (tmp_path / "plate.mov").as_uri()
    changes = diff_edits(read_edit(tmp_path / "cut.otio"), read_edit(tmp_path / "out" / "cut.otio"))
    assert changes and all(change.ours for change in changes)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--out", "cut.otio"), 6, "is the edit itself"),
        (("--out", "a.txt"), 6, "is not in a format that can be written"),
        (("--bundle", "--out", "a.otio"), 6, "is no bundle"),
        (("--for-otio", "0.14.0", "--out", "a.otioz"), 6, "which alone has versions"),
        (("--for-otio", "0.3"), 6, "is no version of OpenTimelineIO"),
        (("--profile", "resolve", "--media", "written"), 6, "reads no FFV1"),
        (("--as", "layer", "--media", "dnxhr"), 6, "DNxHR HQX has no alpha"),
        (("--run", "nowhere"), 7, "there is no run of a timeline here"),
        (("--as", "paste"), 2, "paste"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(
    tmp_path: Path,
    folder: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    cut = timeline([clip(movie(folder, Fraction(25)), 90005, 6, 25.0, span(90000, 60, 25.0))], 25.0)
    exported(tmp_path, run, cut, "swap")
    there = set(tmp_path.iterdir())
    found, out, err = run("timeline", "export", "cut.otio", *options)
    assert (found, out) == (status, "") and said in err and len(err.splitlines()) == 1
    assert set(tmp_path.iterdir()) == there


def test_an_older_opentimelineio_gets_clips_with_the_one_media_that_they_show(
    tmp_path: Path, folder: Path, run: Run
) -> None:
    cut = timeline([clip(movie(folder, Fraction(25)), 90005, 6, 25.0, span(90000, 60, 25.0))], 25.0)
    exported(tmp_path, run, cut, "swap", "--profile", "resolve", "--media", "h264")
    target = tmp_path / "old.otio"
    status, _, err = run("timeline", "export", tmp_path / "cut.otio", "--profile", "resolve", "--media", "h264", "--for-otio", "0.14.0", "--out", target)  # fmt: skip
    assert status == 0, err
    shown = json.loads(target.read_text())["tracks"]["children"][0]["children"][0]
    assert shown["OTIO_SCHEMA"] == "Clip.1" and shown["media_reference"]["target_url"].endswith("composite.avc.mov")


def test_the_json_of_an_export_says_what_was_done(tmp_path: Path, folder: Path, run: Run) -> None:
    cut = timeline([clip(movie(folder, Fraction(25)), 90005, 6, 25.0, span(90000, 60, 25.0))], 25.0)
    exported(tmp_path, run, cut, "swap")
    status, out, _ = run("timeline", "export", tmp_path / "cut.otio", "--as", "versions", "--json")
    told = json.loads(out)
    assert status == 0 and told["schema"] == "faceplate.timeline-export/1"
    assert told["file"] == str(tmp_path / "cut.versions.otio") and told["shots"] == ["V1-0001"]
    assert (told["mode"], told["profile"], told["media"], told["left"]) == ("versions", "otio", "written", [])


def test_a_conformed_rate_goes_into_the_movie(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 30, 24, size=SIZE)
    swapped(tmp_path / "shots" / "a", plate, (2, 11))
    media = Media(url="x", path=plate, rate=25, start=0, frames=30)
    made = result_media(done_shot("a", (0, 0), media, (2, 11)), tmp_path, "composite", "h264", quiet)
    with open_footage(made.path) as footage:
        assert (footage.info.rate, footage.info.frames) == (25, 10)
    assert replace(made, start=0).rate == 25


def test_an_edit_that_came_as_a_bundle_goes_out_with_paths_that_lead_to_its_media(
    tmp_path: Path, folder: Path, run: Run
) -> None:
    shutil.copy(movie(folder, Fraction(25)), tmp_path / "plate.mov")
    document = timeline([clip(tmp_path / "plate.mov", 90005, 6, 25.0, span(90000, 60, 25.0))], 25.0)
    document["tracks"]["children"][0]["children"][0]["media_references"]["DEFAULT_MEDIA"]["target_url"] = (
        "media/p%20.mov"
    )
    bundle = tmp_path / "cut.otioz"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("content.otio", json.dumps(document))
        archive.writestr("version.txt", "1.0.0")
        archive.write(tmp_path / "plate.mov", "media/p .mov")
    (tmp_path / "plate.mov").unlink()
    out = tmp_path / "cut.faceplate"
    edit = read_edit(bundle, unpacked=out / "bundle")
    (shot,) = find_shots(edit)
    assert shot.media.path is not None
    swapped(out / "shots" / shot.id, shot.media.path, shot.span)
    media = Media(url="x", path=shot.media.path, rate=25, start=90000, frames=60)
    run_of(edit, done_shot(shot.id, shot.where, media, shot.span), out=out)
    status, _, err = run(
        "timeline", "export", bundle, "--profile", "resolve", "--as", "layer", "--out", tmp_path / "o.otio"
    )
    assert status == 0, err
    found = find_shots(read_edit(tmp_path / "o.otio"))
    assert [s.media.path for s in found] == [out / "bundle" / "media" / "p .mov"]
    url = json.loads((tmp_path / "o.otio").read_text())["tracks"]["children"][0]["children"][0]
    assert url["media_references"]["DEFAULT_MEDIA"]["target_url"] == str(out / "bundle" / "media" / "p .mov")
