"""Movies are read frame-exactly at their exact rate, upright, and refused with a reason where they cannot be."""

from __future__ import annotations

import random
import shlex
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from nodes.errors import FootageError
from nodes.footage import probe
from nodes.footage.footage import open_footage
from nodes.footage.planes import views
from nodes.footage.rates import exact_rate
from tests import ROOT
from tests.support.waiting import wait_for

NTSC = Fraction(24000, 1001)


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Draw a moving pattern in which no two frames are alike."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [
        np.sin((x * a + y * b) / 9 + index * c) for a, b, c in ((1, 0.3, 0.31), (0.2, 1, -0.17), (0.7, -0.6, 0.23))
    ]
    return np.dstack([127 + 90 * w for w in waves]).astype(np.uint8)


def encode(
    path: Path,
    count: int = 50,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction = Fraction(25),
    options: dict[str, str] | None = None,
    times: list[int] | None = None,
    rotation: int = 0,
    tags: tuple[int, int] | None = None,
    flags: int = 0,
    **container: str,
) -> Path:
    """Encode a movie; `times`: when each picture is shown, in frames of `rate` (to make the rate vary)."""
    with av.open(str(path), "w", options=container) as output:
        stream: Any = output.add_stream(codec, rate=rate, options=options or {}, time_base=1 / rate)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.flags |= flags
        if rotation:
            stream.set_display_rotation(rotation)
        if tags:
            stream.codec_context.colorspace, stream.codec_context.color_range = tags
        for i in range(count):
            rgb = av.VideoFrame.from_ndarray(picture(i, *size), "rgb24")
            frame = rgb.reformat(
                format=pix_fmt, dst_colorspace=tags[0] if tags else None, dst_color_range=tags[1] if tags else None
            )
            frame.pts, frame.time_base = (times[i] if times else i), 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


B_FRAMES = {"bf": "3", "g": "12", "b_strategy": "0", "sc_threshold": "0"}
KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": B_FRAMES},
    "h264.mkv": {"options": B_FRAMES, "rate": NTSC},
    "open_group.mp4": {"options": B_FRAMES | {"x264-params": "open-gop=1"}},
    "open_group.ts": {"options": B_FRAMES | {"x264-params": "open-gop=1"}},
    "ten_bit.mp4": {"options": B_FRAMES, "pix_fmt": "yuv420p10le", "rate": Fraction(30000, 1001)},
    "four_two_two.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "rate": NTSC},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "10"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"bf": "2", "g": "10", "b": "2000000"}},
    "one_key.mp4": {"options": {"g": "1000", "bf": "3"}},
    "ffv1.mkv": {"codec": "ffv1", "pix_fmt": "yuv444p"},
    "raw.h264": {"options": B_FRAMES},
}


@pytest.mark.parametrize("name", KINDS)
def test_any_frame_is_the_one_that_reading_in_order_gives(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, **KINDS[name])
    with av.open(str(path)) as container:
        linear = [[p.copy() for p in views(f)] for f in container.decode(video=0)]
    clip = open_footage(path)
    assert clip.info.frames == len(linear) == 50
    assert clip.info.rate == KINDS[name].get("rate", 25)
    for index in [49, 0, *random.Random(0).sample(range(50), 20)]:
        frame: Any = clip.frame(index)
        assert all(np.array_equal(a, b) for a, b in zip(views(frame.picture), linear[index], strict=True)), index
    ahead: list[Any] = list(clip.frames(17, 33))
    assert [f.index for f in ahead] == list(range(17, 34))
    for f in ahead:
        assert all(np.array_equal(a, b) for a, b in zip(views(f.picture), linear[f.index], strict=True)), f.index


@pytest.mark.parametrize("name", ["franck", "cap13_edit2"])
def test_real_footage_seeks_exactly(samples: Path, name: str) -> None:
    clip = open_footage(samples / f"{name}.mp4")
    start = 300
    linear = {f.index: f.rgb8() for f in clip.frames(0, start + 60) if f.index >= start}
    for index in random.Random(1).sample(range(start, start + 61), 10):
        np.testing.assert_array_equal(clip.frame(index).rgb8(), linear[index])


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov", "ts"])
@pytest.mark.parametrize("rate", [NTSC, Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24), Fraction(50)])
def test_rates_are_exact(tmp_path: Path, container: str, rate: Fraction) -> None:
    assert open_footage(encode(tmp_path / f"a.{container}", count=40, rate=rate)).info.rate == rate


def test_a_variable_rate_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    times = [i if i < 20 else i + 3 for i in range(40)]
    for name in ("phone.mp4", "phone.mkv", "my  phone's clip (1).mov"):
        path = encode(tmp_path / name, count=40, times=times)
        with pytest.raises(FootageError, match=r"frame 20: the frame rate varies.*ffmpeg -i .*-r 25") as caught:
            open_footage(path)
        assert caught.value.exit_status == 3
        command = str(caught.value).partition("constant rate first: ")[2]
        words = shlex.split(command)
        assert words[:3] == ["ffmpeg", "-i", str(path)] and words[-1] == str(tmp_path / f"{path.stem}_cfr.mkv")


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize(("pix_fmt", "size"), [("yuv420p", (96, 64)), ("yuv422p", (96, 64)), ("yuv420p", (95, 63))])
def test_turned_footage_stands_upright(tmp_path: Path, degrees: int, pix_fmt: str, size: tuple[int, int]) -> None:
    options = {"codec": "ffv1", "pix_fmt": pix_fmt, "size": size, "count": 3}
    plain = open_footage(encode(tmp_path / "plain.mkv", **options)).frame(1)
    clip = open_footage(encode(tmp_path / "turned.mkv", rotation=degrees, **options))
    expected = np.rot90(plain.rgb(), degrees // 90)
    assert clip.info.rotation == degrees
    assert (clip.info.height, clip.info.width) == expected.shape[:2]
    assert np.abs(clip.frame(1).rgb() - expected).mean() < 0.02  # chroma sites move by half a pixel
    assert clip.frame(1).rgb8().shape == expected.shape


@pytest.mark.parametrize(("name", "kind"), [
    ("x264.mp4", {"options": {"x264-params": "tff=1"}}),
    ("x264.mkv", {"options": {"x264-params": "bff=1"}}),
    ("prores.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "flags": 0x40000}),
    ("mpeg2.ts", {"codec": "mpeg2video", "options": {"b": "2000000"}, "flags": 0x40000}),
])  # fmt: skip
def test_interlaced_footage_is_refused_with_the_command_that_deinterlaces_it(
    tmp_path: Path, name: str, kind: dict[str, Any]
) -> None:
    path = encode(tmp_path / name, count=6, **kind)
    with pytest.raises(FootageError, match=r"frame 0: is interlaced.*Deinterlace it first") as refused:
        open_footage(path)
    command = shlex.split(str(refused.value).rsplit(": ", 1)[1])
    assert command[:3] == ["ffmpeg", "-i", str(path)]
    assert command[-1].endswith("_progressive.mkv")


def test_the_matrix_and_range_of_the_tags_are_used(tmp_path: Path) -> None:
    for space, range_ in ((1, 1), (1, 2), (6, 1), (9, 1)):
        path = encode(tmp_path / "a.mkv", count=1, codec="ffv1", pix_fmt="yuv444p", tags=(space, range_))
        frame = open_footage(path).frame(0)
        expected = picture(0, 96, 64)
        assert np.abs(frame.rgb8().astype(int) - expected).max() <= 4, (space, range_)
        assert np.abs(frame.rgb() * 255 - expected).max() <= 3, (space, range_)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG"), (1, None)])
def test_hdr_is_told_and_its_tags_stay(tmp_path: Path, transfer: int, name: str | None) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        stream.codec_context.color_trc, stream.codec_context.colorspace = transfer, 9
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24").reformat(format="yuv420p10le")
        output.mux([*stream.encode(picture), *stream.encode(None)])
    info = open_footage(tmp_path / "a.mkv").info
    assert (info.tags.transfer, len(info.notes)) == (transfer, 1 if name else 0)
    assert all(str(name) in note for note in info.notes)


def test_pictures_are_read_only_and_kept(tmp_path: Path) -> None:
    frame = open_footage(encode(tmp_path / "a.mp4", count=1)).frame(0)
    assert frame.rgb8() is frame.rgb8()
    with pytest.raises(ValueError, match="read-only"):
        frame.rgb8()[0] = 0


def test_closing_the_iterator_stops_its_thread(tmp_path: Path) -> None:
    clip = open_footage(encode(tmp_path / "a.mp4"))
    frames: Any = clip.frames(ahead=2)
    next(frames)
    assert any(t.name.startswith("faceplate-decode") for t in threading.enumerate())
    frames.close()
    assert not any(t.name.startswith("faceplate-decode") for t in threading.enumerate())


def test_decoding_runs_ahead_but_not_further_than_asked(tmp_path: Path) -> None:
    from nodes.footage.footage import run_ahead

    made = []

    def items() -> Any:
        for i in range(20):
            made.append(i)
            yield i

    for taken, item in enumerate(run_ahead(items(), 3), 1):
        assert item == taken - 1
        wait_for(lambda taken=taken: len(made) >= min(taken + 3, 20))
        assert len(made) <= taken + 5


def test_a_range_outside_the_clip_is_refused(tmp_path: Path) -> None:
    clip = open_footage(encode(tmp_path / "a.mp4", count=5))
    with pytest.raises(FootageError, match="there is no frame 5"):
        clip.frame(5)
    with pytest.raises(FootageError, match="no frame 9"):
        clip.frames(2, 9)


def test_clips_of_one_frame_and_of_one_pixel_are_clips(tmp_path: Path) -> None:
    clip = open_footage(encode(tmp_path / "a.mp4", count=1, rate=NTSC))
    assert (clip.info.frames, clip.info.rate) == (1, NTSC)
    tiny = open_footage(encode(tmp_path / "tiny.mkv", count=2, size=(1, 1), codec="ffv1"))
    assert [f.rgb8().shape for f in tiny.frames()] == [(1, 1, 3)] * 2
    assert tiny.frame(1).rgb().shape == (1, 1, 3)


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("aac", rate=48000)
        for i in range(20):
            block = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            block.sample_rate, block.pts = 48000, i * 1024
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))
    return path


def test_what_is_no_footage_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mov").write_text("this is not a movie\n" * 100)
    (tmp_path / "noise.mkv").write_bytes(random.Random(0).randbytes(5000))
    sound_only(tmp_path / "sound.m4a")
    for name, reason in {
        "none.mp4": "does not exist",
        "empty.mp4": "is empty",
        "text.mov": "not a movie",
        "noise.mkv": "not a movie",
        "sound.m4a": "sound but no picture",
    }.items():
        with pytest.raises(FootageError, match=rf"{name}: .*{reason}.*\. .+\."):
            open_footage(tmp_path / name)


def test_a_movie_without_frames_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "full.ts", count=10)
    data = (tmp_path / "full.ts").read_bytes()
    (tmp_path / "head.ts").write_bytes(data[: 188 * 3])
    with pytest.raises(FootageError, match=r"head\.ts"):
        open_footage(tmp_path / "head.ts")


def cut(path: Path, part: float) -> Path:
    data = path.read_bytes()
    short = path.with_stem("cut")
    short.write_bytes(data[: int(len(data) * part)])
    return short


def test_a_movie_that_is_cut_off_is_refused_and_says_how_much_is_there(tmp_path: Path) -> None:
    late = cut(encode(tmp_path / "late.mp4"), 0.6)
    with pytest.raises(FootageError, match=r"cut\.mp4: is cut off: its index"):
        open_footage(late)
    early = cut(encode(tmp_path / "early.mp4", movflags="+faststart"), 0.6)
    with pytest.raises(FootageError, match=r"cut\.mp4: is cut off: \d+ of 50 frames"):
        open_footage(early)
    matroska = cut(encode(tmp_path / "a.mkv", count=100), 0.5)
    with pytest.raises(FootageError, match=r"cut\.mkv: is cut off"):
        open_footage(matroska)


def test_a_recording_that_stopped_midway_has_as_many_frames_as_decode(tmp_path: Path) -> None:
    clip = open_footage(cut(encode(tmp_path / "a.ts", options=B_FRAMES), 0.63))
    assert 20 < clip.info.frames < 40
    assert len(list(clip.frames())) == clip.info.frames
    assert clip.frame(clip.info.frames - 1).index == clip.info.frames - 1


def test_damage_in_the_middle_names_the_frame(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", codec="mjpeg", pix_fmt="yuvj420p", count=12)
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][6]
        coded, size = bytes(packet), packet.size
    data = bytearray(path.read_bytes())
    start = data.find(coded)
    data[start : start + size] = bytes(size)
    path.write_bytes(data)
    found = []
    with pytest.raises(FootageError, match=r"a\.mkv, frame 6: cannot be decoded"):
        for frame in open_footage(path).frames():
            found.append(frame.index)
    assert found == [0, 1, 2, 3, 4, 5]


def damaged(path: Path, frame: int, at: float, length: int = 4) -> Path:
    """Overwrite bytes of one coded picture; at: which, as a part of its length."""
    with av.open(str(path)) as container:
        coded = bytes(sorted((p for p in container.demux(video=0) if p.size), key=lambda p: p.pts)[frame])
    data = bytearray(path.read_bytes())
    start = data.find(coded) + int(at * len(coded))
    data[start : start + length] = bytes(b ^ 0x5A for b in data[start : start + length])
    twin = path.with_stem(f"damaged{round(at * 1000)}")
    twin.write_bytes(data)
    return twin


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "gbrp10le"])
def test_four_wrong_bytes_in_ffv1_name_the_frame_wherever_they_are(tmp_path: Path, pix_fmt: str) -> None:
    options = {"level": "3", "slicecrc": "1", "g": "1", "slices": "4"}
    whole = encode(tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt, count=8, options=options)
    assert len(list(open_footage(whole).frames())) == 8
    for at in (0, 0.1, 0.26, 0.5, 0.77, 0.9, 0.98):
        clip = open_footage(damaged(whole, 5, at))
        with pytest.raises(FootageError, match=r"frame 5: cannot be decoded"):
            list(clip.frames())
        with pytest.raises(FootageError, match=r"frame 5: cannot be decoded"):
            clip.frame(5)
        assert clip.frame(6).index == 6


@pytest.mark.parametrize("options", [{"level": "3", "slicecrc": "0"}, {"level": "1"}])
def test_ffv1_without_checksums_is_read(tmp_path: Path, options: dict[str, str]) -> None:
    assert len(list(open_footage(encode(tmp_path / "a.mkv", codec="ffv1", count=5, options=options)).frames())) == 5


def test_damaged_hevc_is_no_picture(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.mp4", 24, codec="libx265", options={"x265-params": "keyint=8:log-level=none"})
    assert [f.index for f in open_footage(whole).frames()] == list(range(24))
    found = []
    with pytest.raises(FootageError, match=r"frame 1[0-4]: cannot be decoded") as raised:
        for frame in open_footage(damaged(whole, 14, 0.3, 60)).frames():
            found.append(frame.index)
    assert found == list(range(raised.value.frame or 0))


def test_the_last_key_frames_are_looked_at_a_few_times_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(probe, "_decoded", lambda *told: calls.append(told) or [])
    count = probe._undecodable_tail(tmp_path, np.arange(1000), np.arange(0, 1000, 2))
    assert count == 1000 and len(calls) == 10


@pytest.mark.parametrize(
    "rate", [Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)] + [Fraction(n) for n in (24, 30, 48, 60)]
)
def test_short_clips_in_whole_milliseconds_have_the_rate_that_they_declare(rate: Fraction) -> None:
    declared = Fraction(float(rate)).limit_denominator(400)
    for count in range(2, 120):
        pts = np.array([round(i * 1000 / rate) for i in range(count)])
        assert exact_rate(pts, Fraction(1, 1000), (declared,), Path("a.mkv")) == rate, count


def test_a_declared_rate_that_does_not_fit_is_not_taken() -> None:
    pts = np.array([round(i * 1000 / 24) for i in range(500)])
    assert exact_rate(pts, Fraction(1, 1000), (NTSC,), Path("a.mkv")) == 24


def test_a_change_of_size_names_the_frame(tmp_path: Path) -> None:
    encode(tmp_path / "a.ts", count=10)
    encode(tmp_path / "b.ts", count=10, size=(64, 64), times=list(range(10, 20)))
    (tmp_path / "c.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    with pytest.raises(FootageError, match=r"c\.ts"):
        list(open_footage(tmp_path / "c.ts").frames())


def test_a_program_that_leaves_a_clip_half_read_ends():
    code = "from nodes.footage.footage import run_ahead\nrun = run_ahead((i for i in range(20)), 2)\nprint(next(run))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


@pytest.mark.parametrize("keys", [1, 12, 250])
def test_a_sample_is_frames_of_the_clip_spread_over_it_with_those_around_one(tmp_path: Path, keys: int) -> None:
    path = encode(tmp_path / "clip.mkv", 400, (48, 32), options={"g": str(keys), "sc_threshold": "0"})
    with open_footage(path) as whole, whole.sampled(16, around=233) as sample:
        assert whole.sampled(400) is whole
        assert sample.positions is not None and sample.info.frames == len(sample.positions) <= 19
        assert {232, 233, 234} <= set(sample.positions.tolist()) and sample.positions.max() > 300
        past_key = sample.positions % keys
        assert np.mean(past_key[~np.isin(sample.positions, (232, 233, 234))]) <= 64
        assert sample.info.rate == Fraction(25 * len(sample.positions), 400)
        for frame in sample.frames():
            same = whole.frame(int(sample.positions[frame.index]))
            np.testing.assert_array_equal(frame.rgb8(), same.rgb8())
