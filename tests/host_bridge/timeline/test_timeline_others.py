"""Edits as other programs leave them: Kdenlive's, results that lost their metadata, sequences named by one image, names as other systems spell them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import opentimelineio as otio
import pytest

from host_bridge.timeline.cast_edit import open_edit
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.write.profiles import PROFILES, adapt
from nodes.footage.footage import open_footage
from nodes.footage.movie_writer import MovieWriter
from nodes.footage.probe import timecode_in
from tests.support.cuts import clip, dissolve, gap, read_again, shots_of, span, timeline
from tests.support.numbered import numbered_images, numbered_movie
from tests.support.timeline_results import done_shot, run_of


def marker(text: str, first: float) -> Any:
    return otio.schema.Marker(text, span(first, 1, 25))


# --- Kdenlive ---


def kdenlive(*tracks: Any) -> Any:
    made = timeline(*tracks)
    made.metadata["kdenlive"] = {"version": "26.08.2"}
    return made


def test_a_gap_that_kdenlive_wrote_for_a_mix_is_none(tmp_path: Path) -> None:
    made = kdenlive([clip("a.mov", 100, 40, 25), gap(10, 25), dissolve(6, 4, 25), clip("b.mov", 50, 30, 25)])
    made.tracks[0].source_range = span(0, 70, 25)
    a, b = shots_of(made, tmp_path)
    assert (a.record, a.transitions) == ((0, 44), (0, 4))
    assert (b.record, b.transitions) == ((34, 36), (6, 0))
    made.tracks[0].source_range = span(0, 80, 25)  # the track counts it: somebody left it there
    assert [s.record for s in shots_of(made, tmp_path)] == [(0, 40), (44, 36)]


def test_kdenlive_counts_markers_from_a_clip_s_first_frame_and_those_beside_it_cast_nobody(tmp_path: Path) -> None:
    on, beside = clip("a.mov", 100, 40, 25), clip("a.mov", 500, 40, 25)
    on.markers.append(marker("FACE target=ann source=ben", 20))
    beside.markers.append(marker("FACE target=ann source=ben", -380))
    made = kdenlive([on, beside])
    a, b = shots_of(made, tmp_path)
    assert ([c.target for c in a.cast], b.cast) == (["ann"], ())
    assert all("leaves speeds out" in shot.notes[0] for shot in (a, b))
    made.tracks.markers.append(marker("FACE target=cat source=dan", 50))
    assert [[c.target for c in s.cast] for s in shots_of(made, tmp_path)] == [["ann"], ["cat"]]


@pytest.mark.parametrize(("first", "counts"), [(110, True), (20, True), (45, False), (300, False), (-3, False)])
def test_a_marker_casts_a_clip_that_it_lies_on_by_either_count(first: int, counts: bool, tmp_path: Path) -> None:
    one = clip("a.mov", 100, 40, 25)
    one.markers.append(marker("FACE target=ann source=ben", first))
    (shot,) = shots_of(timeline([one]), tmp_path)
    assert bool(shot.cast) == counts


def test_a_document_for_kdenlive_has_bare_paths_and_texts_of_markers_and_says_what_is_lost() -> None:
    one = clip("file:///my%20media/a.mov", 100, 40, 25, speed=0.5)
    one.markers.append(marker("here", 100))
    made = timeline([one, dissolve(2, 2, 25), clip("b.mov", 0, 9, 25)])

    document = json.loads(made.to_json_string())
    _, notes = adapt(document, PROFILES["kdenlive"])
    found = document["tracks"]["children"][0]["children"][0]
    assert found["media_references"]["DEFAULT_MEDIA"]["target_url"] == "/my media/a.mov"
    assert found["markers"][0]["metadata"]["comment"] == "here"
    assert any("dissolves" in n for n in notes) and any("speed" in n for n in notes)


# --- results ---


def finished(folder: Path, plate: Path) -> tuple[Path, Path]:
    """A run of an edit whose one shot shows frames 20 to 59 of a plate; its folder, and the movie that an export made."""
    edit = read_again(timeline([clip(str(plate), 24, 30, 25, available=span(0, 100, 25))]), folder)
    out = folder / "cut.faceplate"
    media = Media(url=str(plate), path=plate, rate=25, start=0, frames=100)
    run_of(edit, done_shot("V1-0001", (0, 0), media, (20, 59)), out=out)
    (out / "media").mkdir()
    return out, out / "media" / "V1-0001.composite.prores4444.mov"


def test_a_result_that_lost_its_metadata_gives_way_to_its_plate(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 100, 25)
    _, result = finished(tmp_path, plate)
    numbered_movie(result, 40, 25)
    (shot,) = shots_of(timeline([clip(str(result), 4, 30, 25, available=span(0, 40, 25))]), tmp_path)
    assert (shot.media.path, list(shot.frames)) == (plate, list(range(24, 54)))
    assert any("is a result of Faceplate" in note and str(plate) in note for note in shot.notes)


def test_a_result_whose_plate_nobody_knows_is_no_plate_and_a_patch_is_no_shot(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "V1-0001.composite.prores4444.mov", 40, 25)
    numbered_movie(tmp_path / "V1-0001.patch.prores4444.mov", 40, 25)
    made = timeline(
        [clip("V1-0001.composite.prores4444.mov", 4, 30, 25)], [clip("V1-0001.patch.prores4444.mov", 4, 30, 25)]
    )
    edit = read_again(made, tmp_path)
    (shot,) = find_shots(edit)
    assert shot.media.path is None and "is a result of Faceplate" in shot.notes[0]
    assert any("is a patch of Faceplate" in note for note in edit.notes)
    assert len(find_shots(edit, results=True)) == 2


def test_of_two_references_the_result_is_passed_over_under_whatever_key(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 100, 25)
    one = clip(str(tmp_path / "r.mov"), 24, 30, 25, available=span(20, 40, 25))
    one.media_reference.metadata["faceplate"] = {"schema": "faceplate.media/1", "kind": "composite"}
    references = one.media_references() | {"plate": otio.schema.ExternalReference(str(plate), span(0, 100, 25))}
    one.set_media_references(references, "DEFAULT_MEDIA")
    (shot,) = shots_of(timeline([one]), tmp_path)
    assert (shot.media.key, shot.media.path, shot.frames[0]) == ("plate", plate, 24)


def test_a_lossless_movie_has_its_timecode_on_the_picture_s_stream(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 3, 25)
    with (
        open_footage(plate) as footage,
        MovieWriter(tmp_path / "x.mkv", footage.info, timecode="01:00:00:05") as writer,
    ):
        for frame in footage.frames():
            writer.write(frame)

    with av.open(tmp_path / "x.mkv") as found:
        assert {k.lower(): v for k, v in found.streams.video[0].metadata.items()}["timecode"] == "01:00:00:05"
    assert timecode_in(tmp_path / "x.mkv") == "01:00:00:05"


def test_a_performer_put_onto_their_own_face_is_said(tmp_path: Path) -> None:
    plate = numbered_movie(tmp_path / "ann.mov", 60, 25)
    read_again(timeline([clip(str(plate), 4, 30, 25)]), tmp_path)
    cast_edit = open_edit(tmp_path / "edit.otio", source="ann", performers={"ann": [plate]})
    assert "source and target are the same performer: 'ann'" in cast_edit.shots[0].notes[0]


# --- sequences named by one image ---


@pytest.mark.parametrize(
    ("first", "available", "start", "frames"),
    [
        (1001, span(1001, 30, 24), 1005, range(4, 12)),
        (1001, span(0, 30, 24), 4, range(4, 12)),
        (1001, None, 1005, range(4, 12)),
        (1011, span(0, 20, 24), 4, range(14, 22)),  # files before the one that is named
        (1001, span(1001, 20, 24), 1005, range(4, 12)),  # more were rendered since
    ],
)
def test_one_image_of_a_sequence_stands_for_it(
    first: int, available: Any, start: int, frames: range, tmp_path: Path
) -> None:
    pattern = numbered_images(tmp_path / "s", 30, 1001)
    named = pattern.with_name(f"plate.{first}.png")
    (shot,) = shots_of(timeline([clip(str(named), start, 8, 24, available=available)], rate=24), tmp_path)
    assert (shot.media.path, list(shot.frames)) == (pattern, list(frames))
    assert "named by one image" in shot.notes[0]


def test_a_still_among_numbered_photographs_is_held_and_said(tmp_path: Path) -> None:
    pattern = numbered_images(tmp_path / "s", 30, 1001)
    still = pattern.with_name("plate.1004.png")
    (shot,) = shots_of(timeline([clip(str(still), 0, 8, 24, available=span(0, 125, 24))], rate=24), tmp_path)
    assert (shot.media.path, list(shot.frames)) == (still, [0] * 8)
    assert "one image, held" in shot.notes[0]


# --- names ---


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("write", [str, Path.as_uri])
def test_letters_with_accents_are_found_in_either_form(
    forms: tuple[Any, Any], write: Callable[[Path], str], tmp_path: Path
) -> None:
    there, said = (unicodedata.normalize(form, "Café/Übung.mov") for form in forms)
    movie = numbered_movie(tmp_path / there, 20, 25)
    (shot,) = shots_of(timeline([clip(write(tmp_path / said), 5, 8, 25)]), tmp_path)
    assert shot.media.path is not None and shot.media.path.samefile(movie) and shot.notes == ()


@pytest.mark.parametrize("name", ["interview [1-2].mov", "[0001-0100].mov", "a [2-1] b.mov"])
def test_brackets_are_part_of_a_name(name: str, tmp_path: Path) -> None:
    movie = numbered_movie(tmp_path / name, 20, 25)
    (shot,) = shots_of(timeline([clip(str(movie), 5, 8, 25)]), tmp_path)
    assert shot.media.path == movie


def test_an_image_with_brackets_in_its_name_is_found_before_a_sequence_of_that_pattern(tmp_path: Path) -> None:
    pattern = numbered_images(tmp_path / "s", 3, 1, name="scan [{:d}].png")
    literal = pattern.with_name("scan [1-3].png")
    literal.write_bytes(pattern.with_name("scan [1].png").read_bytes())
    (shot,) = shots_of(timeline([clip(str(literal), 0, 2, 25)]), tmp_path)
    assert shot.media.path == literal


def test_a_reversed_clip_of_a_program_that_nobody_has_seen_says_which_frames_were_taken(tmp_path: Path) -> None:
    one = clip("a.mov", 100, 24, 25, available=span(0, 200, 25), speed=-1.0)
    (shot,) = shots_of(timeline([one]), tmp_path)
    assert shot.frames[0] == 123 and any("frames 123 to 100" in note for note in shot.notes)
    one.metadata["Resolve_OTIO"] = {}
    (shot,) = shots_of(timeline([one]), tmp_path)
    assert not any("reversed" in note for note in shot.notes)
