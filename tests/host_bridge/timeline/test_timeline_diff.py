"""What `faceplate timeline diff` says of two edits."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.timeline.write.diff import Change, diff
from tests.support.random_edits import clips_in, item, span, timelines

Run = Callable[..., tuple[int, str, str]]


def clip(name: str, start: float = 86400, **more: Any) -> dict[str, Any]:
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": f"{name}.mov",
        "available_range": span(86400, 500, 24.0),
        "available_image_bounds": None,
        "target_url": f"/footage/{name}.mov",
    }
    found = item("Clip.2", name, span(start, 24, 24.0), media_references={"DEFAULT_MEDIA": reference})
    return found | {"active_media_reference_key": "DEFAULT_MEDIA"} | more


def timeline(*children: dict[str, Any], name: str = "cut") -> dict[str, Any]:
    track = item("Track.1", "Video 1", None, children=list(children), kind="Video")
    stack = item("Stack.1", "tracks", None, children=[track])
    return {"OTIO_SCHEMA": "Timeline.1", "metadata": {}, "name": name, "global_start_time": None, "tracks": stack}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(c.kind, c.path, c.before, c.after) for c in diff(before, after)]


def test_an_edit_is_the_same_as_itself_and_as_what_opentimelineio_writes_of_it() -> None:
    edit = timeline(clip("a"), clip("b"))
    again = json.loads(otio.adapters.read_from_string(json.dumps(edit), "otio_json").to_json_string())
    assert told(edit, edit) == told(edit, again) == []


def test_a_clip_put_in_before_others_is_one_addition_and_one_taken_out_is_one_removal() -> None:
    short, long = timeline(clip("b"), clip("c")), timeline(clip("a"), clip("b"), clip("c"))
    where = "timeline › video track 1 'Video 1' › clip 1 'a'"
    assert told(short, long) == [("added", where, "", "Clip /footage/a.mov")]
    assert told(long, short) == [("removed", where, "Clip /footage/a.mov", "")]


def test_a_clip_of_many_that_are_alike_is_found_where_it_was_changed() -> None:
    before = timeline(*(clip("a", 86400 + i) for i in range(300)))
    after = deepcopy(before)
    after["tracks"]["children"][0]["children"][170]["source_range"]["start_time"]["value"] += 1
    assert told(before, after) == [
        (
            "changed",
            "timeline › video track 1 'Video 1' › clip 171 'a' › source_range",
            "86570 @ 24 for 24 @ 24",
            "86571 @ 24 for 24 @ 24",
        )
    ]


def test_of_clips_that_are_alike_each_that_was_changed_is_a_change() -> None:
    before = timeline(clip("a", 86400), clip("a", 86400), clip("b", 86400))
    after = deepcopy(before)
    for index in (0, 2):
        after["tracks"]["children"][0]["children"][index]["metadata"] = {"note": 1}
    assert [(kind, path.split(" › ")[2]) for kind, path, *_ in told(before, after)] == [
        ("added", "clip 1 'a'"),
        ("added", "clip 3 'b'"),
    ]


def test_tracks_that_are_alike_stay_in_their_places_where_one_is_renamed() -> None:
    before = timeline(clip("a"))
    track = before["tracks"]["children"][0]
    before["tracks"]["children"] = [track, deepcopy(track), deepcopy(track) | {"name": ""}]
    after = deepcopy(before)
    after["tracks"]["children"][0]["children"][0]["enabled"] = False
    after["tracks"]["children"][2]["name"] = "Video 3"
    assert [(kind, path.rpartition(" › ")[2]) for kind, path, *_ in told(before, after)] == [
        ("changed", "enabled"),
        ("added", "name"),
    ]


@pytest.mark.parametrize("alike", [True, False])
def test_in_a_long_edit_an_insertion_a_removal_and_a_change_are_few_lines(alike: bool) -> None:
    before = timeline(*(clip("a" if alike else f"c{i}", 86400 + (0 if alike else i)) for i in range(1000)))
    after = deepcopy(before)
    children = after["tracks"]["children"][0]["children"]
    children.insert(500, clip("new"))
    children[5]["source_range"]["start_time"]["value"] += 1
    del children[700]
    found = sorted(kind for kind, *_ in told(before, after))
    # Among clips that are all alike, a changed one may as well be another that came and one that went.
    assert found == ["added", "changed", "removed"] if not alike else len(found) <= 5


def test_of_two_long_edits_that_have_little_in_common_what_is_common_is_found() -> None:
    before = timeline(*(clip(f"a{i}" if i % 3 else f"c{i}") for i in range(1500)))
    after = timeline(*(clip(f"b{i}" if i % 3 else f"c{i}") for i in range(1500)))
    found = told(before, after)
    assert not [path for _, path, *_ in found if "'c" in path] and len(found) >= 1000


def test_names_metadata_effects_markers_media_and_what_nobody_knows_are_compared() -> None:
    odd = {"OTIO_SCHEMA": "Sparkle.3", "metadata": {}, "name": "s", "effect_name": "", "amount": [1, 2]}
    before = timeline(clip("a", effects=[odd], metadata={"x": {"y": 1}}))
    after = deepcopy(before)
    shown = after["tracks"]["children"][0]["children"][0]
    shown["effects"][0]["amount"] = [1, 3]
    shown["metadata"]["x"]["y"] = "1"
    shown["media_references"]["DEFAULT_MEDIA"]["target_url"] = "/elsewhere/a.mov"
    shown["name"] = "A"
    here = "timeline › video track 1 'Video 1' › clip 1 'a'"
    assert sorted(told(before, after)) == sorted(
        [
            ("changed", f"{here} › name", '"a"', '"A"'),
            ("changed", f"{here} › metadata › x › y", "1", '"1"'),
            ("changed", f"{here} › Sparkle 1 's' › amount", "[1, 2]", "[1, 3]"),
            (
                "changed",
                f"{here} › media reference DEFAULT_MEDIA › target_url",
                '"/footage/a.mov"',
                '"/elsewhere/a.mov"',
            ),
        ]
    )


def test_what_means_the_same_is_no_difference() -> None:
    before = timeline(clip("a"))
    after = deepcopy(before)
    track = after["tracks"]["children"][0]
    track["children"][0]["source_range"]["start_time"]["value"] = 86400  # an integer
    del track["children"][0]["markers"], after["metadata"], track["children"][0]["enabled"]
    old = track["children"][0]
    old["OTIO_SCHEMA"] = "Clip.1"
    old["media_reference"] = old.pop("media_references")["DEFAULT_MEDIA"]
    del old["active_media_reference_key"]
    assert told(before, after) == []


@pytest.mark.parametrize(("a", "b"), [(0, False), (1, True), (None, 0), ("", 0), ("1", 1), (0, 1e-300)])
def test_values_of_other_kinds_are_different(a: object, b: object) -> None:
    before, after = timeline(clip("a", metadata={"k": a})), timeline(clip("a", metadata={"k": b}))
    assert [c.path for c in diff(before, after)] == ["timeline › video track 1 'Video 1' › clip 1 'a' › metadata › k"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(timelines(), st.data())
def test_any_edit_is_like_itself_and_any_change_of_a_clip_is_seen(
    document: dict[str, Any], data: st.DataObject
) -> None:
    assert diff(document, deepcopy(document)) == []
    inside = list(clips_in(document["tracks"]))
    if not inside:
        return
    other = deepcopy(document)
    where, _ = data.draw(st.sampled_from(inside))
    node = other["tracks"]
    for index in where:
        node = node["children"][index]
    node["source_range"]["duration"]["value"] += 1
    found = diff(document, other)
    assert found and all(isinstance(c, Change) for c in found)
    assert diff(other, document)


def test_the_command_ends_with_0_for_the_same_and_1_for_another_and_lists_what_it_is(tmp_path: Path, run: Run) -> None:
    a, b = tmp_path / "a.otio", tmp_path / "b.otio"
    a.write_text(json.dumps(timeline(clip("a"))))
    b.write_text(json.dumps(timeline(clip("a"), clip("b"))))
    assert run("timeline", "diff", a, a) == (0, "", "")
    status, out, err = run("timeline", "diff", a, b)
    assert (status, err) == (1, "")
    assert out == "+ timeline › video track 1 'Video 1' › clip 2 'b': Clip /footage/b.mov\n"
    status, out, _ = run("timeline", "diff", a, b, "--json")
    found = json.loads(out)
    assert status == 1 and found["schema"] == "faceplate.timeline-diff/1" and not found["same"]
    assert found["changes"][0]["kind"] == "added" and not found["changes"][0]["ours"]
    status, _, err = run("timeline", "diff", a, tmp_path / "none.otio")
    assert status == 7 and "does not exist" in err
