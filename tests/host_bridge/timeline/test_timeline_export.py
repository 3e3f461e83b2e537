"""Results put into edits: what is added, that nothing else changes, and that every frame stays where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.timeline.document import ShotRecord
from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.model import exact, nearest
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.write.diff import diff, diff_edits
from host_bridge.timeline.write.export import Exported, export_edit
from host_bridge.timeline.write.media import Kind, ResultMedia
from host_bridge.timeline.write.profiles import PROFILES
from host_bridge.timeline.write.tree import text_of, without_ours
from nodes.errors import FaceplateError
from nodes.footage.rates import snap_rate
from tests import ROOT
from tests.support.random_edits import clips_in, item, span, time, timelines
from tests.support.timeline_results import done_shot, run_of

MODES = ("swap", "layer", "versions")
REAL = ROOT.parent / "shared" / "otio"
Run = Callable[..., tuple[int, str, str]]


def edit_of(tmp_path: Path, document: dict[str, Any], name: str = "cut.otio") -> Edit:
    path = tmp_path / name
    path.write_text(json.dumps(document), "utf-8")
    return read_edit(path)


def film(shot: ShotRecord, kind: Kind) -> ResultMedia:
    """A result's media that nobody looks into."""
    frames = shot.span[1] - shot.span[0] + 1
    path = Path(f"/results/{shot.id}.{kind}.mov").absolute()
    return ResultMedia(path, kind, shot.media.rate, shot.media.start + shot.span[0], frames)


def images(shot: ShotRecord, kind: Kind) -> ResultMedia:
    found = film(shot, kind)
    path = found.path.with_name(f"{shot.id}.%06d.png")
    return ResultMedia(path, kind, found.rate, found.start, found.frames, found.start, "straight")


def shots_of(
    document: dict[str, Any], places: list[tuple[int, ...]], first: int = 3, last: int = 390
) -> list[ShotRecord]:
    """Finished shots of clips, as `random_edits` makes them: media of 400 frames."""
    found = []
    for n, where in enumerate(places):
        clip = at(document["tracks"], where)
        there = clip["media_references"]["DEFAULT_MEDIA"]["available_range"]
        rate = snap_rate(there["duration"]["rate"])
        begin = nearest(exact(there["start_time"]["value"]))
        media = Media(url="x", path=None, rate=rate, start=begin, frames=400)
        found.append(done_shot(f"S{n:04d}", where, media, (first, last)))
    return found


def at(node: dict[str, Any], where: tuple[int, ...]) -> dict[str, Any]:
    for index in where:
        node = node["children"][index]
    return node


def seen(clip: dict[str, Any], key: str | None = None) -> list[Fraction]:
    """The places in the media, in frames from the first of the document's count, of a clip's first frames and its last."""
    reference = clip["media_references"][key or clip["active_media_reference_key"]]
    there, used = reference["available_range"], clip["source_range"]
    rate = snap_rate(there["duration"]["rate"])
    scalars = [exact(e["time_scalar"]) for e in clip["effects"] if "time_scalar" in e]
    begin = exact(used["start_time"]["value"]) / snap_rate(used["start_time"]["rate"])
    step = scalars[0] if scalars else Fraction(1)
    length = exact(used["duration"]["value"])
    origin = exact(there["start_time"]["value"]) / snap_rate(there["start_time"]["rate"])
    records = [k / snap_rate(used["duration"]["rate"]) for k in (0, 1, 2, length - 1)]
    return [(begin + step * k - origin) * rate for k in records]


@settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
    ],
)
@given(document=timelines(), mode=st.sampled_from(MODES), profile=st.sampled_from(list(PROFILES)), data=st.data())
def test_whatever_the_edit_only_our_additions_differ_and_taking_them_out_gives_it_back_to_the_digit(
    tmp_path: Path, document: dict[str, Any], mode: Any, profile: str, data: st.DataObject
) -> None:
    places = [where for where, _ in clips_in(document["tracks"])]
    if not places:
        return
    edit = edit_of(tmp_path, document)
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4, unique=True))
    shots = shots_of(document, chosen)
    media = data.draw(st.sampled_from([film, images]))
    done = export_edit(edit, run_of(edit, *shots), mode, PROFILES[profile], media)
    assert done.shots == sorted(s.id for s in shots) and not done.left

    made = text_of(done.document)
    assert json.dumps(without_ours(json.loads(made))) != made
    given_back = without_ours(json.loads(made))
    assert given_back == document and types_of(given_back) == types_of(document)

    again = edit_of(tmp_path, json.loads(made), "out.otio")
    changes = diff_edits(edit, again)
    assert changes and all(c.ours for c in changes)
    assert {c.kind for c in changes} <= {"added", "changed"}
    # A program that reads and writes it by OpenTimelineIO, which is a digit off for some times, keeps all of it.
    theirs = [json.loads(e.timeline.to_json_string()) for e in (edit, again)]
    assert diff(theirs[0], without_ours(theirs[1])) == []
    # The length of everything is as it was.
    assert again.timeline.tracks.duration() == edit.timeline.tracks.duration()
    check_frames(document, done, shots, mode, profile)


def types_of(node: Any) -> Any:
    """The kinds of all values: 1, 1.0 and True are equal and not the same."""
    if isinstance(node, dict):
        return {k: types_of(v) for k, v in node.items()}
    return [types_of(v) for v in node] if isinstance(node, list) else type(node)


def check_frames(before: dict[str, Any], done: Exported, shots: list[ShotRecord], mode: str, profile: str) -> None:
    """Every clip of ours shows, of the media, what the clip of the plate shows."""
    after = [clip for _, clip in clips_in(done.document["tracks"])]
    results = {}
    for clip in after:
        block = clip["metadata"].get("faceplate")
        if isinstance(block, dict) and "result" in block:
            results[block["result"]["shot"]] = clip
    for shot in shots:
        plate, clip = at(before["tracks"], shot.where), results[shot.id]
        key = clip["metadata"]["faceplate"]["result"].get("key")
        assert seen(clip, key) == [place - shot.span[0] for place in seen(plate, "DEFAULT_MEDIA")]
        assert clip["source_range"] == plate["source_range"] and clip["effects"] == plate["effects"]
        if mode == "swap":
            assert clip["active_media_reference_key"] == ("DEFAULT_MEDIA" if profile == "resolve" else "faceplate")
        if mode == "versions" and profile == "resolve":
            assert clip["enabled"] is False
        elif mode == "versions":
            assert clip["active_media_reference_key"] == "DEFAULT_MEDIA"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["resolve21_base", "resolve21_ref2", "resolve21_ref4_retime_50pct"])
def test_what_resolve_wrote_comes_back_with_additions_only(tmp_path: Path, name: str, mode: Any, profile: str) -> None:
    path = REAL / f"{name}.otio"
    if not path.is_file():
        pytest.skip(f"{path.name}, which Resolve wrote, is not on this machine (shared/otio)")
    edit, document = read_edit(path), json.loads(path.read_text("utf-8"))
    shots = [
        done_shot(
            f"V1-{where[-1]:04d}",
            where,
            Media(url="x", path=None, rate=50, start=1800000, frames=1500),
            (0, 1499),
        )
        for where, _ in clips_in(document["tracks"])
    ]
    done = export_edit(edit, run_of(edit, *shots), mode, PROFILES[profile], film)
    again = edit_of(tmp_path, done.document, "out.otio")
    assert without_ours(done.document) == document and (profile == "kdenlive" or not done.notes)
    assert all(change.ours for change in diff_edits(edit, again))
    assert again.timeline.duration() == edit.timeline.duration()
    check_frames(document, done, shots, mode, profile)
    marked = {"Video 1 Faceplate"} if mode == "layer" or (mode, profile) == ("versions", "resolve") else set()
    assert {t.name for t in again.timeline.tracks} - {t.name for t in edit.timeline.tracks} == marked


def clip(name: str, start: float, duration: float, rate: float = 24.0, **more: Any) -> dict[str, Any]:
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": f"{name}.mov",
        "available_range": span(86400, 400, rate),
        "available_image_bounds": None,
        "target_url": f"/footage/{name}.mov",
    }
    found = item("Clip.2", name, span(start, duration, rate), media_references={"DEFAULT_MEDIA": reference})
    return found | {"active_media_reference_key": "DEFAULT_MEDIA"} | more


def gap(duration: float, rate: float = 24.0) -> dict[str, Any]:
    return item("Gap.1", "", span(0, duration, rate))


def dissolve(before: float = 5, after: float = 6, rate: float = 24.0) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "Transition.1",
        "metadata": {"Resolve_OTIO": {"Transition Type": "Cross Dissolve"}},
        "name": "Cross Dissolve",
        "in_offset": time(before, rate),
        "out_offset": time(after, rate),
        "transition_type": "SMPTE_Dissolve",
    }


def track(*children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return item("Track.1", "Video 1", None, children=list(children), kind="Video") | more


def timeline(*tracks: dict[str, Any]) -> dict[str, Any]:
    stack = item("Stack.1", "", None, children=list(tracks))
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": "cut",
        "global_start_time": time(86400, 24.0),
        "tracks": stack,
    }


def layered(tmp_path: Path, document: dict[str, Any], *places: tuple[int, ...]) -> Exported:
    edit = edit_of(tmp_path, document)
    return export_edit(edit, run_of(edit, *shots_of(document, list(places))), "layer", PROFILES["resolve"], film)


def outline(node: dict[str, Any]) -> list[tuple[str, float]]:
    """Items of a track with their lengths."""
    return [
        (
            c["OTIO_SCHEMA"].split(".")[0],
            c["source_range"]["duration"]["value"] if "source_range" in c else c["in_offset"]["value"],
        )
        for c in node["children"]
    ]


def test_a_layer_has_gaps_where_nothing_is_replaced_and_ends_with_the_last_result(tmp_path: Path) -> None:
    document = timeline(
        track(clip("a", 86400, 24), gap(10), clip("b", 86410, 30), clip("c", 86400, 12)), track(clip("d", 86400, 76))
    )
    done = layered(tmp_path, document, (0, 2))
    names = [t["name"] for t in done.document["tracks"]["children"]]
    assert names == ["Video 1", "Video 1 Faceplate", "Video 1"]
    assert outline(done.document["tracks"]["children"][1]) == [("Gap", 34), ("Clip", 30)]


def test_a_layer_dissolves_with_the_clips_below_and_needs_no_other_transitions(tmp_path: Path) -> None:
    document = timeline(
        track(
            clip("a", 86420, 24),
            dissolve(),
            clip("b", 86440, 30),
            dissolve(),
            clip("c", 86450, 20),
            clip("d", 86400, 9),
        )
    )
    above = layered(tmp_path, document, (0, 2)).document["tracks"]["children"][1]
    assert outline(above) == [("Gap", 24), ("Transition", 5), ("Clip", 30), ("Transition", 5), ("Gap", 29)]
    assert above["children"][1] == document["tracks"]["children"][0]["children"][1]
    only_last = layered(tmp_path, document, (0, 5)).document["tracks"]["children"][1]
    assert outline(only_last) == [("Gap", 74), ("Clip", 9)]


def test_a_layer_keeps_speed_moves_and_the_disabled_state_of_its_clip(tmp_path: Path) -> None:
    speed = {"OTIO_SCHEMA": "LinearTimeWarp.1", "metadata": {}, "name": "", "effect_name": "", "time_scalar": -1.0}
    move = {"OTIO_SCHEMA": "Effect.1", "metadata": {"x": 1}, "name": "", "effect_name": "Resolve Effect"}
    document = timeline(track(clip("a", 86500, 24, effects=[speed, move], enabled=False)))
    found = layered(tmp_path, document, (0, 0)).document["tracks"]["children"][1]["children"][0]
    assert found["effects"] == [speed, move] and found["enabled"] is False
    assert found["source_range"] == document["tracks"]["children"][0]["children"][0]["source_range"]


def test_in_a_nested_stack_the_layer_lies_in_the_stack(tmp_path: Path) -> None:
    inner = item("Stack.1", "compound", span(4, 20, 24.0), children=[track(gap(8), clip("a", 86400, 24))])
    document = timeline(track(clip("b", 86400, 24), inner), track(clip("c", 86400, 44)))
    done = layered(tmp_path, document, (0, 1, 0, 1), (1, 0))
    tracks = done.document["tracks"]["children"]
    assert [t["name"] for t in tracks] == ["Video 1", "Video 1", "Video 1 Faceplate"]
    nested = tracks[0]["children"][1]
    assert [outline(t) for t in nested["children"]] == [[("Gap", 8), ("Clip", 24)]] * 2
    assert nested["source_range"] == inner["source_range"]


def test_a_clip_that_lies_in_a_stack_without_a_track_gets_one_above(tmp_path: Path) -> None:
    inner = item("Stack.1", "versions", span(0, 20, 24.0), children=[clip("a", 86400, 24), clip("b", 86400, 24)])
    done = layered(tmp_path, timeline(track(inner)), (0, 0, 0))
    inside = done.document["tracks"]["children"][0]["children"][0]["children"]
    assert [c["name"] for c in inside] == ["a", "S0000.patch.mov Faceplate", "b"]
    assert without_ours(done.document) == timeline(track(inner))


def test_a_clip_in_a_track_within_a_track_is_left_and_told(tmp_path: Path) -> None:
    done = layered(tmp_path, timeline(track(track(clip("a", 86400, 24)))), (0, 0, 0))
    assert done.shots == [] and done.left[0][0] == "S0000" and "--as swap" in done.left[0][1]


def test_resolve_gets_bare_paths_named_tracks_and_no_schema_that_it_does_not_know(tmp_path: Path) -> None:
    odd = {"OTIO_SCHEMA": "Sparkle.3", "metadata": {}, "name": "s", "effect_name": "", "amount": [1, 2.5]}
    shown = clip("a", 86400, 24, effects=[odd], metadata={"note": {"OTIO_SCHEMA": "Odd.1", "x": 1}})
    shown["media_references"]["DEFAULT_MEDIA"]["target_url"] = "file:///footage/my%20shots/a.mov"
    windows = clip("b", 86400, 24)
    windows["media_references"]["DEFAULT_MEDIA"]["target_url"] = "file:///C:/my%20shots/b.mov"
    document = timeline(track(shown, windows, name=""), track(clip("c", 86400, 24), kind="Audio", name=""))
    edit = edit_of(tmp_path, document)
    done = export_edit(edit, run_of(edit, *shots_of(document, [(0, 0)])), "swap", PROFILES["resolve"], film)
    assert "Sparkle.3" not in str(schemas(done.document)) and "Odd.1" not in str(schemas(done.document))
    assert any("Sparkle" in note for note in done.notes) and any("Odd" in note for note in done.notes)
    assert [t["name"] for t in done.document["tracks"]["children"]] == ["Video 1", "Audio 1"]
    a, b = done.document["tracks"]["children"][0]["children"]
    assert a["media_references"]["DEFAULT_MEDIA"]["target_url"] == str(Path("/results/S0000.composite.mov").absolute())
    assert a["media_references"]["plate"]["target_url"] == "/footage/my shots/a.mov"
    assert b["media_references"]["DEFAULT_MEDIA"]["target_url"] == "C:\\my shots\\b.mov"
    assert without_ours(done.document) == document


def schemas(node: Any) -> set[str]:
    if isinstance(node, dict):
        inner = set().union(*map(schemas, node.values())) if node else set()
        return inner | ({str(node["OTIO_SCHEMA"])} if "OTIO_SCHEMA" in node else set())
    return set().union(*map(schemas, node)) if isinstance(node, list) and node else set()


def test_what_an_editor_wrote_in_our_block_stays_beside_our_result(tmp_path: Path) -> None:
    document = timeline(track(clip("a", 86400, 24, metadata={"faceplate": {"target": "Ann", "source": "Ben"}})))
    edit = edit_of(tmp_path, document)
    done = export_edit(edit, run_of(edit, *shots_of(document, [(0, 0)])), "swap", PROFILES["otio"], film)
    block = at(done.document["tracks"], (0, 0))["metadata"]["faceplate"]
    assert (block["schema"], block["target"], block["source"]) == ("faceplate.clip/1", "Ann", "Ben")
    assert block["result"]["cast"] == [{"target": "Ann", "source": "Ben", "tracks": []}]


def test_an_export_of_an_export_adds_to_it_and_can_be_taken_out_again(tmp_path: Path) -> None:
    document = timeline(track(clip("a", 86400, 24)))
    edit = edit_of(tmp_path, document)
    once = export_edit(edit, run_of(edit, *shots_of(document, [(0, 0)])), "swap", PROFILES["otio"], film)
    second = edit_of(tmp_path, once.document, "once.otio")
    twice = export_edit(second, run_of(second, *shots_of(document, [(0, 0)])), "swap", PROFILES["otio"], film)
    shown = at(twice.document["tracks"], (0, 0))
    assert sorted(shown["media_references"]) == ["DEFAULT_MEDIA", "faceplate", "faceplate-2"]
    assert shown["active_media_reference_key"] == "faceplate-2"
    assert without_ours(twice.document) == once.document
    assert without_ours(without_ours(twice.document)) == document


def test_clips_of_older_documents_get_the_result_and_can_have_it_taken_out(tmp_path: Path) -> None:
    old = clip("a", 86400, 24)
    old["OTIO_SCHEMA"] = "Clip.1"
    old["media_reference"] = old.pop("media_references")["DEFAULT_MEDIA"]
    del old["active_media_reference_key"]
    document = timeline(track(old) | {"OTIO_SCHEMA": "Sequence.1"})
    edit = edit_of(tmp_path, document)
    media = Media(url="x", path=None, rate=24, start=86400, frames=400)
    run = run_of(edit, done_shot("V1-0001", (0, 0), media, (0, 399)))
    done = export_edit(edit, run, "swap", PROFILES["otio"], film)
    again = edit_of(tmp_path, done.document, "out.otio")
    assert again.timeline.tracks[0][0].media_reference.target_url.endswith("V1-0001.composite.mov")
    assert without_ours(done.document) == document


def test_an_image_sequence_is_named_by_its_own_numbers(tmp_path: Path) -> None:
    document = timeline(track(clip("a", 86400, 24)))
    edit = edit_of(tmp_path, document)
    done = export_edit(edit, run_of(edit, *shots_of(document, [(0, 0)])), "swap", PROFILES["blender"], images)
    reference = edit_of(tmp_path, done.document, "out.otio").timeline.tracks[0][0].media_reference
    assert isinstance(reference, otio.schema.ImageSequenceReference)
    assert reference.target_url_for_image_number(0).endswith("/results/S0000.086403.png")
    assert reference.frame_for_time(otio.opentime.RationalTime(86410, 24)) == 86410


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run, edit: run.model_copy(update={"shots": ()}), "no finished shots"),
        (lambda run, edit: run.model_copy(update={"edit": run.edit.model_copy(update={"digest": "0"})}), "has changed"),
        (
            lambda run, edit: run.model_copy(update={"shots": (run.shots[0].model_copy(update={"where": (0, 7)}),)}),
            "no clip at 0.7",
        ),
        (
            lambda run, edit: run.model_copy(update={"shots": (run.shots[0].model_copy(update={"where": (7, 7, 1)}),)}),
            "no clip at 7.7.1",
        ),
    ],
)
def test_a_run_that_does_not_fit_the_edit_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    document = timeline(track(clip("a", 86400, 24), gap(4)))
    edit = edit_of(tmp_path, document)
    run = run_of(edit, *shots_of(document, [(0, 0)]))
    with pytest.raises(FaceplateError, match=said):
        export_edit(edit, change(run, edit), "swap", PROFILES["otio"], film)


def test_shots_that_are_not_done_are_left_as_they_were_and_told(tmp_path: Path) -> None:
    document = timeline(track(clip("a", 86400, 24), clip("b", 86400, 24)))
    edit = edit_of(tmp_path, document)
    one, two = shots_of(document, [(0, 0), (0, 1)])
    run = run_of(edit, one, two.model_copy(update={"state": "waiting", "folder": None}))
    done = export_edit(edit, run, "swap", PROFILES["otio"], film)
    assert done.shots == ["S0000"] and done.left == [("S0001", "is waiting")]
    assert at(done.document["tracks"], (0, 1)) == document["tracks"]["children"][0]["children"][1]


def test_the_edit_in_memory_is_left_alone(tmp_path: Path) -> None:
    document = timeline(track(clip("a", 86400, 24)))
    edit = edit_of(tmp_path, document)
    before = edit.timeline.to_json_string()
    export_edit(edit, run_of(edit, *shots_of(deepcopy(document), [(0, 0)])), "layer", PROFILES["resolve"], film)
    assert edit.timeline.to_json_string() == before
