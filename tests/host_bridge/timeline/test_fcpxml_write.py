"""FCPXML as we write it: each shot shows the frames that it showed, or nothing is written."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings

from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.places import Places
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.write import formats
from host_bridge.timeline.write.formats import write_document
from host_bridge.timeline.write.tree import document_of
from nodes.errors import OutputError, SchemaError
from tests.support.cuts import clip, dissolve, gap, span, timeline
from tests.support.fcpxmls import HOUR, NTSC, document, shots, time_map
from tests.support.fcpxmls import clip as asset_clip
from tests.support.numbered import numbered_movie, numbers_in
from tests.support.random_edits import timelines


def written(folder: Path, made: Any) -> tuple[Edit, Edit, list[str]]:
    """An edit, what was written of it read again, and what is said to be lost."""
    before = Edit(folder / "cut.otio", "", made, Places(folder))
    lost, _ = write_document(folder / "cut.fcpxml", json.loads(made.to_json_string()), before.places)
    return before, read_edit(folder / "cut.fcpxml"), lost


def same_frames(before: Edit, after: Edit) -> bool:
    def shown(edit: Edit) -> list[tuple[Any, ...]]:
        return sorted(
            (s.record, s.enabled, str(s.media.path), s.media.start, tuple(s.frames))
            for s in find_shots(edit)
            if s.media.url
        )

    return shown(before) == shown(after)


def as_movies(item: dict[str, Any]) -> None:
    """Make movies of the image sequences of an edit."""
    for reference in item.get("media_references", {}).values():
        reference["OTIO_SCHEMA"] = "ExternalReference.1"
        reference.setdefault("target_url", "/footage/s.mov")
    for child in item.get("children", ()):
        as_movies(child)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(timelines())
def test_whatever_the_edit_its_frames_come_back_at_every_rate(made: dict[str, Any]) -> None:
    as_movies(made["tracks"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut.fcpxml"
        write_document(path, made, Places(path.parent))
        before = otio.adapters.read_from_string(json.dumps(made), "otio_json")
        again = read_edit(path)
        counted = [
            [(s.record, s.enabled, tuple(s.frames)) for s in find_shots(e)]
            for e in (Edit(path, "", before, again.places), again)
        ]
        assert sorted(counted[0]) == sorted(counted[1])
        assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize("rate", [NTSC, Fraction(30000, 1001), Fraction(60000, 1001), 25])
def test_the_frames_of_real_media_come_back(rate: Fraction, tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / "ä b.mov", 60, rate, start="01:00:00:00")
    first = HOUR if rate == NTSC else 3600 * round(rate)
    there = span(first, 60, float(rate))
    children = [
        clip(movie, first + 5, 8, float(rate), available=there), clip(movie, first + 30, 8, float(rate), available=there, speed=-1.0),
        gap(3, float(rate)), clip(movie, first + 40, 6, float(rate), speed=0.5),
    ]  # fmt: skip
    before, after, _ = written(tmp_path, timeline(children, rate=float(rate), start=first))
    a, b, c = find_shots(after)
    for shot in (a, b, c):
        assert shot.media.path == movie and shot.rate == rate
    assert numbers_in(movie, a.frames) == list(range(5, 13))
    assert numbers_in(movie, b.frames) == list(range(37, 29, -1))
    assert numbers_in(movie, c.frames) == [40, 40, 41, 41, 42, 42]
    assert same_frames(before, after)


def test_what_final_cut_said_of_speeds_lanes_and_easing_comes_back_as_it_was(tmp_path: Path) -> None:
    eased = 'interp="smooth2" inTime="1/10s" outTime="1/10s"'
    spine = "".join(
        asset_clip(i * 12, HOUR, 12, inside)
        for i, inside in enumerate(
            (
                time_map((HOUR, HOUR), (HOUR + 400, HOUR + 440)),
                time_map((HOUR, HOUR), (HOUR + 6, HOUR + 12), (HOUR + 20, HOUR + 15), more=eased),
                time_map((HOUR, HOUR + 20), (HOUR + 4, HOUR + 24), (HOUR + 8, HOUR + 24), (HOUR + 30, HOUR + 2)),
                asset_clip(HOUR + 3, HOUR + 100, 4, lane="1") + asset_clip(HOUR + 3, HOUR + 200, 4, lane="-1"),
            )
        )
    )
    was = shots(tmp_path, document(spine, start=HOUR))
    edit = read_edit(tmp_path / "edit.fcpxml")
    lost, _ = write_document(tmp_path / "again.fcpxml", document_of(edit), edit.places)
    now = find_shots(read_edit(tmp_path / "again.fcpxml"))
    assert [(s.record, list(s.frames)) for s in sorted(now, key=lambda s: s.record)] == [
        (s.record, list(s.frames)) for s in sorted(was, key=lambda s: s.record)
    ]
    assert "inTime" in (tmp_path / "again.fcpxml").read_text()
    assert not any("available_range" in line for line in lost)


def test_transitions_nesting_markers_and_what_is_disabled_come_back(tmp_path: Path) -> None:
    there = span(0, 100, 25)
    inner = timeline([clip("/a.mov", 10, 20, 25, available=there), clip("/b.mov", 50, 20, 25, available=there)]).tracks
    nest = otio.schema.Stack("nest", children=[track.deepcopy() for track in inner], source_range=span(5, 25, 25))
    off = clip("/c.mov", 0, 9, 25, available=there)
    off.enabled = False
    off.markers.append(otio.schema.Marker("FACE target=ann source=ben", span(3, 1, 25)))
    made = timeline([clip("/a.mov", 20, 20, 25, available=there), dissolve(4, 3, 25), nest, off])
    above = otio.schema.Track(
        "V2",
        [
            gap(12, 25),
            clip("/d.mov", 7, 30, 25, available=there),
            gap(5, 25),
            clip("/d.mov", 60, 5, 25, available=there),
        ],
    )
    made.tracks.append(above)
    before, after, _ = written(tmp_path, made)
    assert [(s.record, s.enabled, list(s.frames), s.transitions) for s in find_shots(before)] == [
        (s.record, s.enabled, list(s.frames), s.transitions) for s in find_shots(after)
    ]
    assert [[c.target for c in s.cast] for s in find_shots(after) if not s.enabled] == [["ann"]]


def test_sound_is_heard_once(tmp_path: Path) -> None:
    there = span(0, 100, 25)
    made = timeline([clip("/a.mov", 10, 20, 25, available=there)])
    made.tracks.append(otio.schema.Track("A1", [clip("/a.mov", 10, 20, 25, available=there)], kind="Audio"))
    _, after, _ = written(tmp_path, made)
    clips = list(ElementTree.parse(tmp_path / "cut.fcpxml").iter("asset-clip"))
    assert [c.get("srcEnable") for c in clips] == ["video", "audio"]
    assert [track.kind for track in after.timeline.tracks] == ["Video", "Audio"]


def test_missing_media_are_named_and_generators_become_gaps_that_are_told(tmp_path: Path) -> None:
    missing = otio.schema.Clip("REEL_7", otio.schema.MissingReference(), span(5, 10, 25))
    title = otio.schema.Clip("Title", otio.schema.GeneratorReference("text"), span(0, 10, 25))
    _, after, lost = written(tmp_path, timeline([missing, title, clip("/a.mov", 0, 5, 25, available=span(0, 9, 25))]))
    a, b = find_shots(after)
    assert (a.name, a.media.url, a.record, b.record) == ("REEL_7", "REEL_7", (0, 10), (20, 5))
    assert any("clip" in line and "lost" in line for line in lost)


def refused(folder: Path, made: Any, *words: str) -> None:
    """See that an edit is refused as one that cannot be written, and that what was there is still there."""
    (folder / "cut.fcpxml").write_text("before")
    with pytest.raises(OutputError) as caught:
        written(folder, made)
    assert all(word in str(caught.value) for word in (*words, str(folder / "cut.fcpxml"))), str(caught.value)
    assert caught.value.exit_status == 6 and caught.value.remedy
    assert [path.name for path in folder.iterdir()] == ["cut.fcpxml"] and (
        folder / "cut.fcpxml"
    ).read_text() == "before"


def test_what_fcpxml_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    images = otio.schema.ImageSequenceReference("/s/", "s.", ".exr", 1, 1, 25, 4, available_range=span(1, 50, 25))
    refused(
        tmp_path,
        timeline([otio.schema.Clip("plate", images, span(5, 10, 25))]),
        "'plate'",
        "image sequence",
        "prores4444",
    )
    ramp = clip("/a.mov", 0, 20, 25, available=span(0, 100, 25))
    keys = [[0, 0, 1, 0, 0, 0.2, 0.1], [0.4, 0.6, 1, -0.1, -0.2, 0.1, 0.2], [1, 2, 1, -0.2, -0.1, 0, 0]]
    ramp.effects.append(otio.schema.TimeEffect("Ramp", "Speed", {"Resolve_OTIO": {"Key Frames": keys}}))
    refused(tmp_path, timeline([ramp]), "speed ramp exactly")


@pytest.mark.parametrize("data", [b"<fcpxml", b'<fcpxml version="1.9"/>'])
def test_a_document_that_cannot_be_read_again_is_an_error_of_writing(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(formats.FORMATS, ".fcpxml", formats.WrittenFormat(write=lambda *_: data))
    refused(tmp_path, timeline([clip("/a.mov", 0, 5, 25, available=span(0, 9, 25))]), "cannot hold this edit")


def test_a_document_with_another_frame_is_an_error_of_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(*told: Any) -> bytes:
        return formats.fcpxml_of(*told).replace(b'start="1/5s"', b'start="6/25s"')

    monkeypatch.setitem(formats.FORMATS, ".fcpxml", formats.WrittenFormat(write=moved))
    made = timeline(
        [clip("/a.mov", 0, 5, 25, available=span(0, 90, 25)), clip("/a.mov", 5, 7, 25, available=span(0, 90, 25))]
    )
    refused(tmp_path, made, "frames 5 to 11", "to the frame")


def test_what_an_adapter_wrote_and_nobody_can_read_is_an_error_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> Edit:
        raise SchemaError("is damaged", file=path)

    pytest.importorskip("otio_aaf_adapter", reason="the extra `timeline` is not installed")
    monkeypatch.setattr(formats, "read_edit", unreadable)
    made = timeline([clip("/a.mov", 0, 5, 25, available=span(0, 9, 25))])
    with pytest.raises(OutputError, match="cannot hold this edit: is damaged"):
        formats.write_document(tmp_path / "cut.aaf", json.loads(made.to_json_string()), Places(tmp_path))
    assert not list(tmp_path.iterdir())
