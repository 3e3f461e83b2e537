"""Final Cut Pro 7 XML: every frame that it names, whatever its speeds and nesting, and what is written of it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.fcp7 import TICKS
from host_bridge.timeline.read.model import MapKey, time_effect
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Shot
from host_bridge.timeline.write.formats import write_document
from nodes.errors import OutputError, SchemaError
from tests.support.cuts import clip, dissolve, gap, span, timeline
from tests.support.numbered import numbered_images, numbered_movie

F23, F29, F59 = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
RATES = [F23, Fraction(24), Fraction(25), F29, Fraction(30), Fraction(50), F59]


def rate(value: Fraction = F23) -> str:
    ntsc = "TRUE" if value.denominator == 1001 else "FALSE"
    return f"<rate><timebase>{round(value)}</timebase><ntsc>{ntsc}</ntsc></rate>"


def file(
    name: str = "a.mov", own: Fraction = F23, frames: int = 300, zero: str = "01:00:00:00", drop: bool = False
) -> str:
    clock = f"<timecode>{rate(own)}<string>{zero}</string><displayformat>{'DF' if drop else 'NDF'}</displayformat></timecode>"
    return (
        f'<file id="{name}"><name>{name}</name><pathurl>file://localhost/E%3a/gone/{name}</pathurl>{rate(own)}'
        f"<duration>{frames}</duration>{clock}<media><video/></media></file>"
    )


def use(
    start: int,
    end: int,
    first: int,
    last: int,
    more: str = "",
    own: Fraction = F23,
    shown: str | None = None,
    tag: str = "clipitem",
) -> str:
    return (
        f"<{tag}><name>c</name><duration>300</duration>{rate(own)}<start>{start}</start><end>{end}</end>"
        f"<in>{first}</in><out>{last}</out>{file() if shown is None else shown}{more}</{tag}>"
    )


def sequence(*tracks: str, own: Fraction = F23, id: str = "s", name: str = "S") -> str:
    rows = "".join(f"<track>{track}</track>" for track in tracks)
    return f'<sequence id="{id}"><name>{name}</name><duration>100</duration>{rate(own)}<media><video>{rows}</video></media></sequence>'


def remap(speed: str = "100", *, reverse: bool = False, keys: Any = (), ramp: bool = False, extra: str = "") -> str:
    rows = "".join(
        f"<keyframe><when>{when}</when><value>{value}</value>{'<speedvirtualkf>TRUE</speedvirtualkf>' if virtual else ''}{extra}</keyframe>"
        for when, value, virtual in keys
    )
    graph = f"<parameter><parameterid>graphdict</parameterid><valuemax>300</valuemax>{rows}</parameter>" if keys else ""
    told = {"variablespeed": int(ramp), "speed": speed, "reverse": "TRUE" if reverse else "FALSE"}
    parameters = "".join(
        f"<parameter><parameterid>{k}</parameterid><value>{v}</value></parameter>" for k, v in told.items()
    )
    return f"<filter><effect><name>Time Remap</name><effectid>timeremap</effectid>{parameters}{graph}</effect></filter>"


def read(folder: Path, *documents: str) -> list[Shot]:
    path = folder / "cut.xml"
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE xmeml><xmeml version="5">{"".join(documents)}</xmeml>',
        "utf-8",
    )
    return find_shots(read_edit(path))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Movies of 300 frames: at 23.976, at 25 without timecode, and at 29.97 with drop-frame timecode."""
    folder = tmp_path_factory.mktemp("fcp7")
    numbered_movie(folder / "a.mov", 300, F23, start="01:00:00:00")
    numbered_movie(folder / "b.mov", 300, Fraction(25))
    numbered_movie(folder / "drop.mov", 300, F29, start="01:00:00;00")
    return folder


# --- speeds ---


@pytest.mark.parametrize(
    ("filter", "frames"),
    [
        (remap("200"), [40, 42, 44]),
        (remap("50"), [10, 10, 11]),
        (remap("-100", reverse=True), [279, 278, 277]),  # `in` counts from the end of what is reversed
        (remap("200", reverse=True), [258, 256, 254]),
        (remap("0", keys=[(0, 77, True), (90, 77, True)]), [77, 77, 77]),
        (remap("100", ramp=True, keys=[(0, 0, True), (50, 100, False), (100, 125, False)]), [40, 42, 44]),
        (remap("100", ramp=True, keys=[(0, 0, False), (21, 63, False), (30, 63, False)]), [60, 63, 63]),
        (remap("99", ramp=True, keys=[(0, 0, False), (40, 40, False), (23, -1815255671, True)]), [20, 21, 22]),
    ],
)
def test_a_time_remap_is_followed(filter: str, frames: list[int], media: Path) -> None:
    (shot,) = read(media, sequence(use(0, 24, 20, 44, filter)))
    assert list(shot.frames)[:3] == frames


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (use(0, 24, 20, 44, remap("100", ramp=True)), "speed ramp without keys"),
        (use(0, 24, 20, 44, remap("", ramp=False)), "no speed"),
        (use(0, 24, 20, 68), "no speed is said: 100 % is taken"),
        (use(0, 24, 20, 68, remap("200")), "count frames of the media"),
        (use(0, 24, 20, 44, remap("-100", reverse=True)), "counted from the end"),
        (use(0, 24, 20, 44, remap("9", ramp=True, keys=[(0, 0, False), (50, 99, False)], extra="<inbez><horiz>1</horiz></inbez>")), "straight lines"),
    ],
)  # fmt: skip
def test_a_speed_that_is_not_followed_to_the_letter_is_said_at_the_shot(item: str, said: str, media: Path) -> None:
    (shot,) = read(media, sequence(item))
    assert any(said in note for note in shot.notes)


# --- what is where ---


def test_a_nested_sequence_shows_its_own_clips(media: Path) -> None:
    inner = sequence(use(0, 40, 50, 90) + use(40, 80, 120, 160, shown='<file id="a.mov"/>'), id="inner", name="inner")
    a, b = read(media, sequence(use(0, 30, 25, 55, shown=inner)))
    assert [list(a.frames), list(b.frames)] == [list(range(75, 90)), list(range(120, 135))]
    assert (a.record, b.record) == ((0, 15), (15, 15))
    c, d = read(media, sequence(use(0, 30, 12, 42, remap("200"), shown=inner)))
    assert (c.record, list(c.frames)[:3], d.record) == ((0, 8), [74, 76, 78], (8, 20))


def test_of_several_sequences_the_one_that_stands_in_no_other_is_read(media: Path) -> None:
    inner = sequence(use(0, 40, 50, 90), id="inner", name="inner")
    (shot,) = read(
        media,
        f"<project><children>{inner}",
        sequence(use(0, 30, 5, 35, shown='<sequence id="inner"/>'), name="outer"),
        "</children></project>",
    )
    assert list(shot.frames) == list(range(55, 85))
    with pytest.raises(SchemaError, match="holds 2 timelines"):
        read(media, inner, sequence(use(0, 9, 0, 9), id="other"))
    with pytest.raises(SchemaError, match="holds itself"):
        read(media, sequence(use(0, 30, 5, 35, shown='<sequence id="s"/>')))


def test_clips_and_tracks_that_are_switched_off_are_disabled(media: Path) -> None:
    off = "<enabled>FALSE</enabled>"
    found = read(media, sequence(use(0, 9, 0, 9, off) + use(9, 18, 0, 9), use(0, 9, 0, 9) + off))
    assert [s.enabled for s in found] == [False, True, False]


def test_a_subclip_counts_from_its_own_first_frame(media: Path) -> None:
    sub = "<subclipinfo><startoffset>50</startoffset><endoffset>30</endoffset></subclipinfo>"
    (shot,) = read(media, sequence(use(0, 24, 10, 34, sub)))
    assert list(shot.frames) == list(range(60, 84))
    (shot,) = read(media, sequence(use(0, 24, 10, 34, sub + remap("-100", reverse=True))))
    assert list(shot.frames)[:2] == [259, 258]


def test_a_placeholder_without_a_rate_refuses_nothing_and_is_told(media: Path) -> None:
    blank = use(0, 24, 0, 24, shown='<file id="p"><name>p</name></file>').replace("<timebase>24", "<timebase>0")
    a, b = read(media, sequence(blank + use(24, 48, 100, 124)))
    assert a.media.path is None and "frame rate is 0" in a.notes[0]
    assert (b.record, list(b.frames)[:2]) == ((24, 24), [100, 101])


def test_in_and_out_count_at_the_clip_s_own_rate_and_start_and_end_at_the_sequence_s(media: Path) -> None:
    other = file("b.mov", Fraction(25), zero="00:00:00:00")
    (shot,) = read(media, sequence(use(0, 24, 25, 50, own=Fraction(25), shown=other), own=Fraction(24)))
    assert (shot.rate, shot.record, list(shot.frames)[:3], shot.frames[-1]) == (24, (0, 24), [25, 26, 27], 49)
    ticks = f"<pproTicksIn>{round(Fraction(251, 250) * TICKS)}</pproTicksIn>"
    (shot,) = read(media, sequence(use(0, 24, 24, 48, ticks, own=Fraction(24), shown=other), own=Fraction(24)))
    assert shot.frames[0] == 25


@pytest.mark.parametrize(
    ("alignment", "cut"), [("center", 24), ("start", 12), ("end", 36), ("start-black", 12), ("end-black", 36)]
)
def test_clips_reach_into_the_transitions_between_them(alignment: str, cut: int, media: Path) -> None:
    fade = f"<transitionitem>{rate()}<start>12</start><end>36</end><alignment>{alignment}</alignment><effect><name>Cross Dissolve</name></effect></transitionitem>"
    a, b = read(media, sequence(use(0, -1, 48, 84) + fade + use(-1, 48, 88, 124)))
    assert (a.record, list(a.frames)[::35], a.transitions) == ((0, 36), [48, 83], (0, 36 - cut))
    assert (b.record, list(b.frames)[::35], b.transitions) == ((12, 36), [88, 123], (cut - 12, 0))


def test_what_lasts_and_holds_nothing_is_said_of_the_edit(media: Path) -> None:
    empty = sequence("", id="inner", name="inner")
    path = media / "cut.xml"
    assert read(media, sequence(use(0, 30, 0, 30, shown=empty) + use(30, 40, 0, 10)))
    assert "'c' lasts 30 frames and holds no clip" in read_edit(path).notes[0]
    assert read(media, sequence("")) == []
    assert read_edit(path).notes == ("the edit holds no clip",)


@pytest.mark.parametrize("what", ["<start>x</start>", "<in>1/0</in>", f"<in>{'9' * 60}</in>"])
def test_a_number_that_is_none_is_named(what: str, media: Path) -> None:
    with pytest.raises(SchemaError, match="clipitem 'c'"):
        read(media, sequence(f"<clipitem><name>c</name>{what}{file()}</clipitem>"))


# --- what is written is what is read ---


@st.composite
def cuts_of(draw: st.DrawFn, rate: Fraction) -> Any:
    """An edit at random: two tracks, a nested stack, speeds, ramps, dissolves, media of another rate and media that are not there."""

    def one(inner: bool) -> Any:
        length, begin = draw(st.integers(8, 30)), draw(st.integers(90, 150))
        name, own, zero = draw(
            st.sampled_from(
                [("a.mov", F23, 86400), ("b.mov", Fraction(25), 0), ("drop.mov", F29, 107892), ("gone.mov", rate, 7)]
            )
        )
        start = float((zero + Fraction(begin)) / own * rate)
        speed = draw(st.sampled_from([None, None, None, 2.0, 0.5, -1.0, -0.5, 0.0, 1.25]))
        made = clip(name, start, length, rate, available=span(zero, 300, own), speed=None if inner else speed)
        if draw(st.integers(0, 5)) == 0 and not inner:
            made.effects.clear()
            middle, shown = Fraction(length // 2) / rate, (zero + Fraction(begin)) / own
            keys = [(Fraction(0), shown), (middle, shown + middle / 2), (middle * 3, shown + middle * 5)]
            made.effects.append(time_effect([MapKey(*key) for key in keys]))
        made.enabled = draw(st.booleans())
        return made

    def row(inner: bool = False) -> list[Any]:
        items: list[Any] = []
        for _ in range(draw(st.integers(1, 4))):
            if items and isinstance(items[-1], otio.schema.Clip) and draw(st.booleans()):
                items.append(dissolve(draw(st.integers(0, 3)), draw(st.integers(0, 3)), rate))
            elif draw(st.integers(0, 3)) == 0:
                items.append(gap(draw(st.integers(1, 20)), rate))
            items.append(one(inner))
        return items

    made = timeline(row(), row(), rate=rate, start=draw(st.integers(0, 100_000)))
    if draw(st.booleans()):
        stack = otio.schema.Stack("nest")
        track = otio.schema.Track(kind="Video")
        track.extend(row(inner=True))
        stack.append(track)
        stack.source_range = span(draw(st.integers(0, 3)), draw(st.integers(4, 8)), rate)
        made.tracks[1].append(stack)
    return made


def seen(shots: list[Shot]) -> list[tuple[Any, ...]]:
    return [(s.record, s.enabled, s.media.path or s.media.url, list(s.frames)) for s in shots]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("rate", RATES)
def test_random_edits_show_the_same_frames_when_they_were_written_and_read(
    rate: Fraction, data: st.DataObject, media: Path
) -> None:
    made = data.draw(cuts_of(rate))
    before = find_shots(Edit(media / "x.otio", "", made, Places(media)))
    (media / "again.otio").write_text(made.to_json_string(), "utf-8")
    assert seen(find_shots(read_edit(media / "again.otio"))) == seen(before)
    write_document(media / "again.xml", json.loads(made.to_json_string()), Places(media))
    after = find_shots(read_edit(media / "again.xml"))
    assert seen(after) == seen(before) and {s.rate for s in after} == {rate}


def test_what_cannot_be_held_to_the_frame_is_refused_and_nothing_is_written(media: Path) -> None:
    made = timeline([clip("a.mov", 86500, 20, 12.5, available=span(86400, 300, F23))], rate=12.5)
    with pytest.raises(OutputError, match="cannot say"):
        write_document(media / "odd.xml", json.loads(made.to_json_string()), Places(media))
    assert not (media / "odd.xml").exists()


def test_a_sequence_goes_out_by_its_first_file_and_comes_back(tmp_path: Path) -> None:
    pattern = numbered_images(tmp_path / "s", 30, 1001)
    made = timeline([clip(str(pattern), 1011, 8, 24, available=span(1001, 30, 24))], rate=24)
    write_document(tmp_path / "cut.xml", json.loads(made.to_json_string()), Places(tmp_path))
    assert pattern.name.replace("%04d", "1001") in (tmp_path / "cut.xml").read_text("utf-8")
    (shot,) = find_shots(read_edit(tmp_path / "cut.xml"))
    assert (shot.media.path, list(shot.frames)) == (pattern, list(range(10, 18)))
