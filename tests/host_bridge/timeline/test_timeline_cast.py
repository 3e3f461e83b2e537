"""Who is replaced by whom: said on the command line, in a cast file, or in the edit, and which of these holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from host_bridge.timeline.shots.cast import Cast, face_notes, read_cast
from host_bridge.timeline.shots.shot import Casting, Shot
from nodes.errors import FaceplateError
from tests.support.cuts import clip, gap, shots_of, span, timeline


def marker(text: str, first: float = 0, count: float = 1, **more: Any) -> Any:
    return otio.schema.Marker(text, span(first, count, 25), **more)


def a_clip(name: str = "a.mov", count: int = 10) -> Any:
    return clip("nowhere.mov", 0, count, 25, available=span(0, 100, 25), name=name)


def pairs(shot: Shot) -> list[tuple[Any, ...]]:
    return [(c.target, c.source, *([c.tracks] if c.tracks else [])) for c in shot.cast]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FACE target=ann source=ben", [("ann", "ben", "")]),
        ("face: source = ben  target = ann", [("ann", "ben", "")]),
        ("Fix this!\nFACE target=\"Ann Lee\" source='Ben O“Hara' track=1,2 please", [("Ann Lee", "Ben O“Hara", "1,2")]),
        ("FACE target=“Ann Lee” source=“Ben”", [("Ann Lee", "Ben", "")]),
        ("FACE target=a source=b track=0; FACE target=c source=d tracks=3", [("a", "b", "0"), ("c", "d", "3")]),
        ("in your FACE", []),
        ("SURFACE target=a source=b", []),
        ("", []),
    ],
)
def test_notes_are_read_as_people_write_them(text: str, told: list[tuple[str, str, str]]) -> None:
    found = [(n["target"], n["source"], n.get("track", n.get("tracks", ""))) for n in face_notes(text)]
    assert found == told


def test_a_marker_on_a_clip_casts_it_wherever_the_note_stands(tmp_path: Path) -> None:
    named, commented, resolve = a_clip(), a_clip(), a_clip()
    named.markers.append(marker("FACE target=ann source=ben track=2"))
    commented.markers.append(marker("M 1", comment="FACE target=ann source=ben"))
    note = {"Resolve_OTIO": {"Note": "FACE target=ann source=ben", "Keywords": []}}
    resolve.markers.append(marker("Marker 1", metadata=note))
    a, b, c, d = shots_of(timeline([named, commented, resolve, a_clip()]), tmp_path)
    assert pairs(a) == [("ann", "ben", (2,))]
    assert pairs(b) == pairs(c) == [("ann", "ben")]
    assert a.cast[0].said == "marker"
    assert d.cast == ()


def test_a_note_that_says_too_little_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    half, odd = a_clip(), a_clip()
    half.markers.append(marker("FACE source=ben"))
    odd.markers.append(marker("FACE target=ann source=ben track=left"))
    a, b = shots_of(timeline([half, odd]), tmp_path)
    assert (a.cast, a.notes) == ((), ("media is missing", "marker: says no target"))
    assert (b.cast, b.notes) == ((), ("media is missing", "marker: 'left' is not a track"))


def test_a_marker_on_the_timeline_casts_the_shots_that_it_touches(tmp_path: Path) -> None:
    made = timeline([a_clip(), a_clip(), gap(5, 25), a_clip()], [a_clip(count=3)])
    made.tracks.markers.append(marker("FACE target=ann source=ben", 8, 4))
    made.tracks.markers.append(marker("FACE target=cat source=dan", 25))  # one frame
    shots = shots_of(made, tmp_path)
    assert [pairs(s) for s in shots] == [[("ann", "ben")], [("ann", "ben")], [("cat", "dan")], []]


def test_timeline_markers_may_count_from_the_start_timecode(tmp_path: Path) -> None:
    made = timeline([a_clip(), a_clip()], start=90000)
    made.tracks.markers.append(marker("FACE target=ann source=ben", 90012))
    assert [pairs(s) for s in shots_of(made, tmp_path)] == [[], [("ann", "ben")]]


def test_markers_on_a_track_and_on_a_compound_clip_are_about_what_is_in_them(tmp_path: Path) -> None:
    stack, track = otio.schema.Stack("scene"), otio.schema.Track(kind="Video")
    track.append(a_clip())
    stack.append(track)
    stack.markers.append(marker("FACE target=in source=side"))
    made = timeline([a_clip(), stack], [a_clip()])
    made.tracks[0].markers.append(marker("FACE target=on source=track", 0, 30))
    below, inside, above = shots_of(made, tmp_path)
    assert (pairs(below), below.cast[0].said) == ([("on", "track")], "marker on track 'Video 1'")
    assert (pairs(inside), inside.cast[0].said) == ([("in", "side")], "marker on 'scene'")
    assert above.cast == ()


def test_the_metadata_of_a_clip_cast_it(tmp_path: Path) -> None:
    one, more, wrong = a_clip(), a_clip(), a_clip()
    one.metadata["faceplate"] = {"target": "ann", "source": "ben"}
    more.metadata["faceplate"] = {
        "cast": [{"target": "a", "source": "b", "tracks": [0]}, {"target": "c", "source": "d", "tracks": [1, 2]}]
    }
    wrong.metadata["faceplate"] = {"cast": "everyone"}
    a, b, c = shots_of(timeline([one, more, wrong]), tmp_path)
    assert pairs(a) == [("ann", "ben")]
    assert pairs(b) == [("a", "b", (0,)), ("c", "d", (1, 2))]
    assert (c.cast, c.notes[-1]) == ((), "metadata: faceplate.cast is no list of castings")


TOML = """
[performers.ben]
footage = ["ben/*.mov", "more"]
[[cast]]
target = "ann"
source = "ben"
[[cast]]
shot = "interview*"
target = "ann"
source = "zoe"
tracks = [1]
"""
YAML = """
performers:
  ben: {footage: [ben/*.mov, more]}
cast:
  - {target: ann, source: ben}
  - {shot: "interview*", target: ann, source: zoe, tracks: 1}
"""
JSON = """{"performers": {"ben": {"footage": ["ben/*.mov", "more"]}}, "cast": [{"target": "ann", "source": "ben"},
{"shot": "interview*", "target": "ann", "source": "zoe", "tracks": [1]}]}"""
CSV = "shot,target,source,tracks,footage\n*,ann,ben,,ben/*.mov;more\ninterview*,ann,zoe,1,\n"


@pytest.mark.parametrize(
    ("kind", "text"), [(".toml", TOML), (".yaml", YAML), (".yml", YAML), (".json", JSON), (".csv", "\ufeff" + CSV)]
)
def test_a_cast_file_says_the_same_in_every_form(kind: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "ben").mkdir()
    for name in ("2.mov", "1.mov"):
        (tmp_path / "ben" / name).touch()
    path = tmp_path / f"cast{kind}"
    path.write_text(text, "utf-8")
    cast = read_cast(path)
    assert cast.performers == {"ben": (tmp_path / "ben" / "1.mov", tmp_path / "ben" / "2.mov", tmp_path / "more")}
    a, b = shots_of(timeline([a_clip("Interview 3"), a_clip("wide.mov")]), tmp_path, cast)
    assert pairs(a) == [("ann", "zoe", (1,))]  # the later line about ann holds
    assert pairs(b) == [("ann", "ben")]


def test_patterns_are_of_ids_and_of_names(tmp_path: Path) -> None:
    path = tmp_path / "cast.csv"
    path.write_text("shot,target,source\nV1-0002,ann,ben\nWIDE?.mov,cat,dan\n", "utf-8")
    shots = shots_of(timeline([a_clip("a"), a_clip("b"), a_clip("wide1.mov")]), tmp_path, read_cast(path))
    assert [pairs(s) for s in shots] == [[], [("ann", "ben")], [("cat", "dan")]]


def test_the_nearest_word_outside_of_the_edit_holds_and_then_the_nearest_in_it(tmp_path: Path) -> None:
    def made() -> Any:
        one = a_clip("one")
        one.markers.append(marker("FACE target=t source=marker"))
        one.metadata["faceplate"] = {"target": "t", "source": "metadata"}
        two = a_clip("two")
        two.metadata["faceplate"] = {"target": "t", "source": "metadata"}
        found = timeline([one, two, a_clip("three"), a_clip("four")])
        found.tracks[0].markers.append(marker("FACE target=t source=track", 0, 30))
        found.tracks.markers.append(marker("FACE target=t source=timeline", 0, 40))
        return found

    def sources(cast: Cast | None = None) -> list[str]:
        return [c.source for s in shots_of(made(), tmp_path, cast) for c in s.cast]

    assert sources() == ["marker", "metadata", "track", "timeline"]
    path = tmp_path / "cast.csv"
    path.write_text("shot,target,source\n[ot]*,t,file\n", "utf-8")
    from_file = read_cast(path)
    assert sources(from_file) == ["file", "file", "file", "timeline"]
    everywhere = replace(from_file, everywhere=(Casting("t", "command"),))
    assert sources(everywhere) == ["command"] * 4


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.toml", "[[cast]]\ntarget='a'", ["cast.0.source"]),
        ("c.toml", "[[cast]]\ntarget='a'\nsource='b'\nmodel='m'", ["cast.0.model"]),
        ("c.toml", "[[cast", ["damaged"]),
        ("c.toml", "[[cast]]\ntarget='a'\nsource='b'\ntracks='left'", ["cast.0.tracks", "not a track"]),
        ("c.toml", "[[cast]]\ntarget='a'\nsource='b'\ntracks=[-1]", ["cast.0.tracks"]),
        ("c.json", "[1, 2]", ["the whole"]),
        ("c.json", "[" * 100_000, ["damaged"]),
        ("c.yaml", "cast: [", ["damaged"]),
        ("c.yaml", "a: &a [x,x]\nb: &b [*a,*a]\ncast: [*b,*b]", []),
        ("c.yaml", "!!python/object/apply:os.system [true]", ["damaged"]),
        ("c.csv", "who,what\na,b\n", ["line 2", "unknown column"]),
        ("c.csv", "shot,target,source\nx,a\n", ["cast.0.source"]),
        ("c.csv", "shot,target,source\nx,a,b,c,d\n", ["line 2"]),
        ("c.txt", "x", [".toml"]),
        ("c.toml", "[performers.a]\nfootage='none/*.mov'", ["no such footage"]),
    ],
)
def test_a_cast_file_that_is_wrong_says_where(name: str, text: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(FaceplateError) as caught:
        read_cast(tmp_path / name)
    told = str(caught.value)
    assert name in told or "no such footage" in told
    assert all(word in told for word in words), told


def test_a_cast_file_that_is_not_there_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaceplateError, match=r"cast\.toml"):
        read_cast(tmp_path / "cast.toml")
    (tmp_path / "cast.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(FaceplateError, match="too large"):
        read_cast(tmp_path / "cast.toml")
