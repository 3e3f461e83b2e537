"""The strips of a sequencer as an edit, and back."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_bridge.jobs import KINDS
from host_bridge.reporting import Watch
from host_bridge.timeline.cut import cut_of
from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.read.model import nearest
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.strips import Cut, Marker, Strip, StripFootage, load, save, timeline_of
from nodes.errors import SchemaError
from tests.support.numbered import numbered_images, numbered_movie


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> StripFootage:
    path = tmp_path_factory.mktemp("media") / "a.mov"
    numbered_movie(path, 100, 25, start=90_000)
    return StripFootage(path=path, rate=Fraction(25), frames=100)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> StripFootage:
    folder = tmp_path_factory.mktemp("images")
    return StripFootage(path=numbered_images(folder, 40, name="b.{:04d}.png"), rate=Fraction(24), frames=40, first=1001)


def there_and_back(cut: Cut, folder: Path, suffix: str = ".otio") -> tuple[Cut, list[str]]:
    save(folder / "cut.json", cut)
    told = run("export_cut", cut=folder / "cut.json", out=folder / f"edit{suffix}")
    back = run("import_cut", edit=folder / f"edit{suffix}", out=folder / "back.json")
    return load(folder / "back.json"), [*told["unsaid"], *back["unsaid"]]


def run(kind: str, **request: object) -> dict:
    return KINDS[kind].run(KINDS[kind].request.model_validate(request), Watch()).model_dump(mode="json")


def numbers(strip: Strip) -> list[int]:
    return [nearest(Fraction(strip.source) + k * Fraction(strip.step)) for k in range(strip.right - strip.left)]


def test_a_cut_comes_back_strip_by_strip(movie: StripFootage, images: StripFootage, tmp_path: Path) -> None:
    sound = StripFootage(path=movie.path, rate=Fraction(24), frames=96)
    strips = (
        Strip(
            kind="SOUND", name="a sound", channel=1, left=1, right=40, footage=sound, source=4.5, host={"volume": 0.5}
        ),
        Strip(
            kind="MOVIE",
            name="a",
            channel=2,
            left=1,
            right=40,
            footage=movie,
            source=12,
            host={"blend_type": "REPLACE"},
        ),
        Strip(kind="IMAGE", name="b", channel=3, left=30, right=60, footage=images, source=3, step=0.5, muted=True),
        Strip(kind="GAMMA_CROSS", name="x", channel=4, left=30, right=40, host={"inputs": ["a", "b"]}),
        Strip(
            kind="META",
            name="m",
            channel=2,
            left=70,
            right=90,
            strips=(
                Strip(kind="MOVIE", name="backwards", channel=1, left=65, right=95, footage=movie, source=80, step=-2),
                Strip(kind="TEXT", name="title", channel=2, left=72, right=80, host={"text": "Fin"}),
            ),
        ),
    )
    cut = Cut(name="cut", rate=Fraction(24), first=1, last=100, strips=strips, markers=(Marker(name="here", frame=9),))
    back, unsaid = there_and_back(cut, tmp_path)
    assert sorted(back.strips, key=lambda s: s.name) == sorted(cut.strips, key=lambda s: s.name)
    assert back.model_copy(update={"strips": ()}) == cut.model_copy(update={"strips": ()})
    assert any("x (gamma_cross) is known to Blender only" in line for line in unsaid)


def test_other_programs_see_the_frames_that_the_strip_shows(
    movie: StripFootage, images: StripFootage, tmp_path: Path
) -> None:
    strips = (
        Strip(kind="MOVIE", name="conformed", channel=1, left=10, right=40, footage=movie, source=5, step=1),
        Strip(kind="MOVIE", name="slow", channel=1, left=40, right=70, footage=movie, source=7.25, step=0.43),
        Strip(kind="MOVIE", name="backwards", channel=2, left=0, right=20, footage=movie, source=60, step=-1),
        Strip(kind="IMAGE", name="still", channel=3, left=0, right=20, footage=images, source=9, step=0),
    )
    save(tmp_path / "cut.json", Cut(name="c", rate=Fraction(24), first=1, last=80, strips=strips))
    run("export_cut", cut=tmp_path / "cut.json", out=tmp_path / "edit.otio", profile="otio")
    shots = {shot.name: shot for shot in find_shots(read_edit(tmp_path / "edit.otio"))}
    for strip in strips:
        assert list(shots[strip.name].frames) == numbers(strip), strip.name
        assert shots[strip.name].record == (strip.left, strip.right - strip.left)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_row_of_strips_comes_back(data: st.DataObject) -> None:
    rate = data.draw(st.sampled_from([Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60)]))
    media_rate = data.draw(st.sampled_from([Fraction(24), Fraction(24000, 1001), Fraction(50)]))
    footage = StripFootage(path=Path("/nowhere/a.mov"), rate=media_rate, frames=10_000)
    at, strips = data.draw(st.integers(-20, 20)), []
    for i in range(data.draw(st.integers(1, 4))):
        at += data.draw(st.integers(0, 9))
        length = data.draw(st.integers(1, 90))
        step = data.draw(st.sampled_from([1.0, 0.5, 2.0, -1.0, 0.43, 0.96, float(media_rate / rate)]))
        source = data.draw(st.integers(400, 900))
        strips.append(
            Strip(
                kind="MOVIE",
                name=f"s{i}",
                channel=3,
                left=at,
                right=at + length,
                footage=footage,
                source=source,
                step=step,
            )
        )
        at += length
    cut = Cut(name="c", rate=rate, first=1, last=9, strips=tuple(strips))
    timeline, _ = timeline_of(cut)
    clips = timeline.find_clips()
    starts = [timeline.tracks[0].range_of_child(clip).start_time.rescaled_to(float(rate)).value for clip in clips]
    base = timeline.metadata["faceplate_cut"]["base"]
    assert [round(start + base, 6) for start in starts] == [s.left for s in strips]
    for clip, strip in zip(clips, strips, strict=True):
        assert clip.source_range.duration.value == strip.right - strip.left


def test_dissolves_of_an_edit_become_cross_effects(movie: StripFootage, tmp_path: Path) -> None:
    def clip(name: str, start: int, length: int) -> otio.schema.Clip:
        url = movie.path.as_uri()
        there = otio.opentime.TimeRange(otio.opentime.RationalTime(90_000, 25), otio.opentime.RationalTime(100, 25))
        time = otio.opentime.RationalTime
        return otio.schema.Clip(
            name,
            otio.schema.ExternalReference(url, there),
            otio.opentime.TimeRange(time(90_000 + start, 25), time(length, 25)),
        )

    time = otio.opentime.RationalTime
    track = otio.schema.Track("V1", kind="Video")
    fade = otio.schema.Transition("fade", "SMPTE_Dissolve", time(4, 25), time(6, 25))
    track.extend([clip("a", 10, 20), fade, clip("b", 40, 30)])
    sound = otio.schema.Track("A1", kind="Audio")
    sound.append(clip("a", 10, 20))
    timeline = otio.schema.Timeline("t", global_start_time=time(90_000, 25))
    timeline.tracks.extend([track, sound])
    otio.adapters.write_to_file(timeline, str(tmp_path / "t.otio"))
    cut, unsaid = cut_of(read_edit(tmp_path / "t.otio"))
    by_name = {strip.name: strip for strip in cut.strips}
    assert unsaid == []
    assert [s.kind for s in cut.strips] == ["SOUND", "MOVIE", "MOVIE", "CROSS"]
    a, b, cross = by_name["a.001"], by_name["b"], by_name["Cross"]
    assert (a.left, a.right, numbers(a)[0]) == (1, 27, 10)
    assert (b.left, b.right, numbers(b)[0]) == (17, 51, 36)
    assert (cross.left, cross.right, cross.host["inputs"]) == (17, 27, ["a.001", "b"])
    assert by_name["a"].channel == 1
    assert len({a.channel, b.channel, cross.channel}) == 3
    assert cross.channel > max(a.channel, b.channel) > 1


@pytest.mark.parametrize(
    "text", ["", "{", '{"schema": "faceplate.cut/1"}', '{"schema": "faceplate.shot/1"}', "[" * 100_000]
)
def test_a_damaged_cut_is_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text(text)
    with pytest.raises(SchemaError, match=r"cut\.json"):
        load(tmp_path / "cut.json")


def test_a_newer_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text(json.dumps({"schema": "faceplate.cut/2"}))
    with pytest.raises(SchemaError, match="newer"):
        load(tmp_path / "cut.json")
