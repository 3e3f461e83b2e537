"""Movies that are written read back the same, with their sound, or are not there at all."""

from __future__ import annotations

import dataclasses
import resource
import signal
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from nodes.errors import FootageError, OutputError
from nodes.footage.footage import open_footage
from nodes.footage.frame import MovieFrame
from nodes.footage.info import ColourTags, FootageInfo
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.planes import views
from nodes.types import Patch, Roi
from tests.nodes.footage.test_footage_composite import FORMATS, plate

RATE = Fraction(24000, 1001)


def like(width: int, height: int, **more: Any) -> FootageInfo:
    return FootageInfo(Path("like"), width, height, RATE, 10, **more)


@pytest.mark.parametrize("size", [(160, 120), (101, 75)])
@pytest.mark.parametrize("name", FORMATS)
def test_ffv1_keeps_every_code_value(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    frame = plate(name, size)
    with MovieWriter(tmp_path / "a.mkv", frame.info) as writer:
        for _ in range(3):
            writer.write(frame)
    clip = open_footage(tmp_path / "a.mkv")
    assert (clip.info.frames, clip.info.bit_depth) == (3, frame.info.bit_depth)
    again: Any = clip.frame(2)
    np.testing.assert_array_equal(again.rgb(), frame.rgb())
    if name.startswith("yuv"):
        for old, new in zip(views(frame.picture), views(again.picture), strict=True):
            np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv411p", "yuv410p", "yuv440p", "yuva420p", "rgb24"])
def test_ffv1_keeps_pictures_of_any_size(tmp_path: Path, name: str) -> None:
    for size in (
        (853, 480),
        (854, 480),
        (401, 300),
        (400, 301),
        (351, 287),
        (403, 303),
        (640, 40),
        (63, 480),
        (7, 5),
        (1, 1),
    ):
        frame = plate(name, size)
        with MovieWriter(tmp_path / "a.mkv", frame.info) as writer:
            writer.write(frame)
        again: Any = open_footage(tmp_path / "a.mkv").frame(0)
        np.testing.assert_array_equal(again.rgb(), frame.rgb(), err_msg=f"{size}")
        if name.startswith("yuv"):
            for old, new in zip(views(frame.picture), views(again.picture), strict=True):
                np.testing.assert_array_equal(new, old, err_msg=f"{size}")


@pytest.mark.parametrize(
    "tags", [ColourTags(1, 1, 1, 1), ColourTags(6, 2, 6, 6), ColourTags(9, 1, 9, 14), ColourTags()]
)
def test_colour_tags_rate_and_pixel_shape_are_kept(tmp_path: Path, tags: ColourTags) -> None:
    frame = plate("yuv420p", (64, 48), tags)
    info = dataclasses.replace(frame.info, rate=RATE, pixel_aspect=Fraction(16, 15))
    with MovieWriter(tmp_path / "a.mkv", info) as writer:
        for _ in range(30):
            writer.write(frame)
    with MovieWriter(tmp_path / "a.mp4", info, "h264") as writer:
        writer.write(frame)
    assert open_footage(tmp_path / "a.mp4").info.pixel_aspect == Fraction(16, 15)
    again = open_footage(tmp_path / "a.mkv").info
    assert (again.rate, again.frames, again.pixel_aspect) == (RATE, 30, Fraction(16, 15))
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert "title" not in container.streams.video[0].metadata
    assert again.tags.space == tags.space
    assert again.tags.range == tags.range
    assert (again.tags.primaries, again.tags.transfer) == (tags.primaries, tags.transfer)


@pytest.mark.parametrize(("size", "aspect"), [
    ((180, 144), Fraction(16, 15)), ((720, 480), Fraction(8, 9)), ((180, 135), Fraction(4, 3)), ((63, 48), Fraction(64, 45)),
    ((64, 48), Fraction(2)), ((64, 48), Fraction(1)),
])  # fmt: skip
@pytest.mark.parametrize("codec", ["ffv1", "prores4444", "h264"])
def test_the_shape_of_a_pixel_is_kept_in_every_kind_of_movie(
    tmp_path: Path, codec: Any, size: tuple[int, int], aspect: Fraction
) -> None:
    frame = plate("yuv420p", size, ColourTags(1, 1, 1, 1))
    path = tmp_path / f"a.{'mkv' if codec == 'ffv1' else 'mov'}"
    with MovieWriter(path, dataclasses.replace(frame.info, pixel_aspect=aspect), codec) as writer:
        for _ in range(3):
            writer.write(frame)
    again = open_footage(path)
    assert again.info.pixel_aspect == aspect
    assert [f.index for f in again.frames()] == [0, 1, 2]
    assert again.frame(2).index == 2


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1, 1)])
def test_a_preview_has_even_sizes_and_looks_the_same(tmp_path: Path, size: tuple[int, int]) -> None:
    y, x = np.mgrid[: size[1], : size[0]]
    rgb = np.dstack([x * 3 + 30, y * 4 + 20, x + y + 40]).astype(np.uint8)
    with MovieWriter(tmp_path / "a.mp4", like(*size), "h264") as writer:
        for _ in range(5):
            writer.write(rgb)
    clip = open_footage(tmp_path / "a.mp4")
    assert (clip.info.width, clip.info.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert (clip.info.frames, clip.info.rate) == (5, RATE)
    seen = clip.frame(3).rgb8()[: size[1], : size[0]].astype(int)
    assert np.abs(seen - rgb).mean() < 6
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")


def test_a_preview_of_deep_and_full_range_footage_looks_the_same(tmp_path: Path) -> None:
    for name, tags in (
        ("yuv422p10le", ColourTags(1, 1, 1, 1)),
        ("yuvj420p", ColourTags(6, 2, 2, 2)),
        ("gbrp", ColourTags()),
    ):
        frame = plate(name, (160, 120), tags)
        with MovieWriter(tmp_path / "a.mp4", frame.info, "h264") as writer:
            writer.write(frame)
        seen = open_footage(tmp_path / "a.mp4").frame(0)
        assert np.abs(seen.rgb() - frame.rgb()).mean() < 0.03, name


def sounding(path: Path, codec: str, seconds: float = 3.0, rate: Fraction = RATE) -> Path:
    """Encode a movie whose sound is a click at each full second, and whose picture flashes with it."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("mpeg4", rate=rate, time_base=1 / rate)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio: Any = output.add_stream(codec, rate=48000)
        samples = int(seconds * 48000)
        wave = np.zeros((2, samples), np.float32)
        for second in range(1, int(seconds) + 1):
            wave[:, second * 48000 : second * 48000 + 480] = 0.8
        kind = audio.format.name
        wave = wave if kind == "fltp" else (wave * 32767).astype(np.int16)
        for i in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20, np.uint8), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, 1 / rate
            output.mux(video.encode(frame))
        for start in range(0, samples, 1024):
            block = np.ascontiguousarray(wave[:, start : start + 1024])
            block = block if kind.endswith("p") else np.ascontiguousarray(block.T).reshape(1, -1)
            sound = av.AudioFrame.from_ndarray(block, kind, "stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48000, start, Fraction(1, 48000)
            output.mux(audio.encode(sound))
        output.mux(audio.encode(None))
        output.mux(video.encode(None))
    return path


def clicks(path: Path) -> tuple[list[float], float, str]:
    """Find when clicks begin, in seconds from the first picture, the sound's end, and its codec."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        start = picture.time
    parts = []
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        name = stream.codec_context.name
        for block in container.decode(stream):
            values = block.to_ndarray().astype(np.float64)
            if not block.format.is_planar:
                values = values.reshape(-1, block.layout.nb_channels).T
            values /= {"s16": 32768, "s16p": 32768, "s32": 2**31}.get(block.format.name, 1)
            parts.append((block.time - start, block.sample_rate, values[0]))
    times = np.concatenate([t + np.arange(len(v)) / r for t, r, v in parts])
    loud = np.abs(np.concatenate([v for _, _, v in parts])) > 0.4
    rising = np.flatnonzero(loud & ~np.roll(loud, 200) & ~np.concatenate([[False], loud[:-1]]))
    return [float(t) for t in times[rising]], float(times[-1]), name


@pytest.mark.parametrize(("suffix", "codec", "first", "kept_as"), [
    ("mp4", "aac", 0, "flac"), ("mp4", "aac", 12, "flac"), ("mkv", "pcm_s16le", 12, "flac"), ("mkv", "flac", 0, "flac"),
])  # fmt: skip
def test_the_sound_of_the_range_stays_in_step(
    tmp_path: Path, suffix: str, codec: str, first: int, kept_as: str
) -> None:
    source = sounding(tmp_path / f"in.{suffix}", codec)
    clip = open_footage(source)
    assert clip.info.has_audio
    last = 59
    for movie, kind in (("a.mkv", "ffv1"), ("a.mp4", "h264")):
        with MovieWriter(tmp_path / movie, clip.info, kind, source, first, last) as writer:  # type: ignore[arg-type]
            for frame in clip.frames(first, last):
                writer.write(frame)
        again = open_footage(tmp_path / movie).info
        assert (again.frames, again.rate, again.has_audio) == (last + 1 - first, RATE, True)
        found, end, name = clicks(tmp_path / movie)
        assert name == (kept_as if kind == "ffv1" else "aac")
        expected = [s - first / RATE for s in (1, 2) if s * RATE <= last]
        assert len(found) >= len(expected)
        for click in expected:
            assert min(abs(click - f) for f in found) < 0.004, (movie, found)
        assert abs(end - float((last + 1 - first) / RATE)) < 0.05


@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize(("layout", "codec"), [
    ("5.1", "pcm_s16le"), ("7.1", "pcm_s24le"), ("9 channels", "pcm_s24le"), ("7.1.4", "pcm_s16le"), ("hexadecagonal", "pcm_s32le"),
    ("24 channels", "pcm_f32le"),
])  # fmt: skip
def test_every_channel_is_kept_and_the_preview_is_stereo(tmp_path: Path, layout: str, codec: str, first: int) -> None:
    count, kind = 10, {"2": np.int32, "3": np.int32, "1": np.int16}[codec[5]] if codec[4] == "s" else np.float32
    channels = av.AudioLayout(layout).nb_channels
    noise = np.random.default_rng(0).integers(-(2**14), 2**14, (round(count / RATE * 48000), channels))
    noise = (noise * (1e-4 if kind is np.float32 else 2**16 if kind is np.int32 else 1)).astype(kind)
    source = tmp_path / "in.mov"
    with av.open(str(source), "w") as output:
        video: Any = output.add_stream("mpeg4", rate=RATE)
        audio: Any = output.add_stream(codec, rate=48000)
        video.width, video.height, video.pix_fmt, audio.layout = 32, 32, "yuv420p", layout
        for _ in range(count):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            output.mux(video.encode(picture))
        name = {np.int16: "s16", np.int32: "s32", np.float32: "flt"}[kind]  # type: ignore[index]
        block = av.AudioFrame.from_ndarray(noise.reshape(1, -1), name, layout)
        block.sample_rate, block.pts = 48000, 0
        output.mux([*audio.encode(block), *audio.encode(None), *video.encode(None)])
    clip = open_footage(source)
    for movie, how in (("a.mkv", "ffv1"), ("a.mp4", "h264")):
        with MovieWriter(tmp_path / movie, clip.info, how, source, first, count - 1) as writer:  # type: ignore[arg-type]
            for frame in clip.frames(first):
                writer.write(frame)
    with av.open(str(tmp_path / "a.mkv")) as kept:
        packed = av.AudioResampler(name, None, 48000)
        blocks = [b.to_ndarray().reshape(-1, channels) for f in kept.decode(audio=0) for b in packed.resample(f)]
    np.testing.assert_array_equal(np.concatenate(blocks), noise[round(first / RATE * 48000) :])
    with av.open(str(tmp_path / "a.mp4")) as seen:
        assert seen.streams.audio[0].layout.name == "stereo"
        assert sum(f.samples for f in seen.decode(audio=0)) >= (count - first) / RATE * 48000 - 1


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("ts", "mp2"), ("mkv", "libopus"), ("mkv", "aac")])
def test_the_first_milliseconds_of_coded_sound_are_kept(tmp_path: Path, suffix: str, codec: str) -> None:
    with av.open(str(tmp_path / f"in.{suffix}"), "w") as output:
        video: Any = output.add_stream("mpeg4", rate=25)
        audio: Any = output.add_stream(codec, rate=48000, layout="mono")
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for _ in range(10):
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        wave = (np.sin(np.arange(19200) / 10) * 0.5).astype(np.float32)[None]
        block = av.AudioFrame.from_ndarray(wave, "flt", "mono")
        block.sample_rate, block.pts = 48000, 0
        output.mux([*audio.encode(block), *audio.encode(None), *video.encode(None)])
    clip = open_footage(tmp_path / f"in.{suffix}")
    with MovieWriter(tmp_path / "a.mkv", clip.info, "ffv1", clip.info.path) as writer:
        for frame in clip.frames():
            writer.write(frame)
    with av.open(str(tmp_path / "a.mkv")) as kept:
        begin = next(kept.decode(audio=0)).to_ndarray().astype(np.float64)[0, :960]
    assert np.sqrt(np.mean((begin[480:] / np.abs(begin).max()) ** 2)) > 0.4


def test_a_plate_without_sound_and_one_read_from_images_make_silent_movies(tmp_path: Path) -> None:
    info = like(8, 8)
    with MovieWriter(tmp_path / "a.mkv", info, "ffv1", info.path) as writer:
        writer.write(np.zeros((8, 8, 3), np.uint8))
    assert not open_footage(tmp_path / "a.mkv").info.has_audio


def test_rgb_arrays_are_kept_exactly(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (47, 63, 3), np.uint8)
    with MovieWriter(tmp_path / "a.mkv", like(63, 47)) as writer:
        writer.write(rgb)
    np.testing.assert_array_equal(open_footage(tmp_path / "a.mkv").frame(0).rgb8(), rgb)


def test_an_8k_frame_goes_through(tmp_path: Path) -> None:
    small = plate("yuv420p", (960, 540))
    picture = small.picture.reformat(width=7680, height=4320, interpolation="POINT")
    frame = MovieFrame(0, dataclasses.replace(small.info, width=7680, height=4320), picture)
    white = Patch(0, Roi(2000, 1000, 2320, 1240), np.ones((240, 320, 4), np.float32))
    with MovieWriter(tmp_path / "a.mkv", frame.info) as writer:
        writer.write(frame.over(white))
    again = open_footage(tmp_path / "a.mkv").frame(0)
    assert cv2.resize(again.rgb8(), (96, 54), interpolation=cv2.INTER_AREA)[13, 26].min() >= 250
    np.testing.assert_array_equal(again.rgb8()[2000:], frame.rgb8()[2000:])


def test_a_movie_is_there_when_it_is_closed_and_not_before(tmp_path: Path) -> None:
    writer = MovieWriter(tmp_path / "new" / "a.mkv", like(8, 8))
    writer.write(np.zeros((8, 8, 3), np.uint8))
    assert not (tmp_path / "new" / "a.mkv").exists()
    writer.close()
    writer.close()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.mkv"]


def test_an_error_leaves_nothing_behind_and_an_old_movie_alone(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_text("the old one")
    with pytest.raises(RuntimeError), MovieWriter(tmp_path / "a.mkv", like(8, 8)) as writer:
        writer.write(np.zeros((8, 8, 3), np.uint8))
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.mkv"]
    assert (tmp_path / "a.mkv").read_text() == "the old one"


def test_frames_of_another_size_and_no_frames_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(FootageError, match="frame 1: cannot take a picture of 9x8"),
        MovieWriter(tmp_path / "a.mkv", like(8, 8)) as w,
    ):
        w.write(np.zeros((8, 8, 3), np.uint8))
        w.write(np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(OutputError, match="no frames"), MovieWriter(tmp_path / "a.mkv", like(8, 8)):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        MovieWriter(tmp_path / "file" / "a.mkv", like(8, 8))


FULL_DISK = """
    import resource, signal, sys
    import numpy as np
    from fractions import Fraction
    from pathlib import Path
    from nodes.errors import OutputError
    from nodes.footage.info import FootageInfo
    from nodes.footage.movie_writer import MovieWriter
    from nodes.footage.patch_files import write_patch
    from nodes.footage.sequence import SequenceWriter
    from nodes.types import Patch, Roi

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    out = Path(sys.argv[1])
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    info = FootageInfo(Path("x"), 320, 240, Fraction(25), 10)

    def movie(codec, name):
        with MovieWriter(out / name, info, codec) as writer:
            for _ in range(10):
                writer.write(noise)

    def images(name):
        with SequenceWriter(out / name, info) as writer:
            writer.write(noise)

    def patch():
        write_patch(out / "p.exr", Patch(0, Roi(0, 0, 320, 240), np.random.rand(240, 320, 4).astype(np.float32)), 320, 240)

    for work in (
        lambda: movie("ffv1", "a.mkv"), lambda: movie("h264", "a.mp4"), lambda: images("a.%04d.png"),
        lambda: images("a.%04d.exr"), lambda: images("a.%04d.tif"), lambda: images("a.%04d.dpx"), patch,
    ):
        try:
            work()
        except OutputError as e:
            print(e)
        else:
            print("no error")
    print("left:", sorted(p.name for p in out.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file size stands for a full disk")
def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path: Path) -> None:
    assert resource and signal
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 8, run.stdout + run.stderr
    for line in lines[:7]:
        assert "cannot be written: the file is too large for this disk" in line, run.stdout
    assert lines[7] == "left: []"
