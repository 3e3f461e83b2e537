"""Edits that are damaged or meant to hurt: clear errors, within bounded time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from opentimelineio.opentime import RationalTime

from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.read.otio import convert
from host_bridge.timeline.shots.find import find_shots
from nodes.errors import FaceplateError, MissingDependencyError, SchemaError
from tests import ROOT
from tests.support.cuts import clip, gap, read_again, shots_of, span, timeline, written

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < 45


def simple() -> Any:
    return timeline([clip("nowhere.mov", 90000, 20, 25, available=span(90000, 100, 25)), gap(5, 25)])


def refused(path: Path, *words: str, kind: type[FaceplateError] = SchemaError) -> str:
    with pytest.raises(kind) as caught:
        find_shots(read_edit(path))
    told = str(caught.value)
    assert all(word in told for word in words), told
    assert len(told) < 1000
    assert caught.value.remedy
    return told


def changed(folder: Path, change: Change) -> Path:
    """A document in which one thing is not as it should be."""
    found = json.loads(simple().to_json_string())
    change(found["tracks"]["children"][0]["children"][0])
    path = folder / "edit.otio"
    path.write_text(json.dumps(found), "utf-8")
    return path


def test_a_document_that_is_cut_off_is_said_to_be_damaged_wherever_it_ends(tmp_path: Path) -> None:
    whole = simple().to_json_string()
    path = tmp_path / "edit.otio"
    for end in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_text(whole[:end], "utf-8")
        refused(path, "damaged", "edit.otio")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"\x00\x01\xff\xfe" * 100, "not text"),
        (b"[1, 2, 3]", "no timeline"),
        (b'{"a": 1}', "no timeline"),
        (b'"words"', "no timeline"),
        (b'{"OTIO_SCHEMA": "Clip.2", "name": "c", "metadata": {}}', ""),
        (b'{"OTIO_SCHEMA": "Timeline.99", "name": "x"}', "newer OpenTimelineIO"),
        (b'{"OTIO_SCHEMA": "Nothing.1", "name": "x"}', "no timeline"),
        (b"<xml/>", "damaged"),
    ],
)
def test_what_is_no_timeline_is_said_to_be_none(content: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "edit.otio"
    path.write_bytes(content)
    refused(path, word)


def test_deep_nests_of_stacks_are_followed(tmp_path: Path) -> None:
    inner = otio.schema.Track(kind="Video")
    inner.append(clip("nowhere.mov", 0, 10, 25, available=span(0, 10, 25)))
    for _ in range(40):
        stack, track = otio.schema.Stack(), otio.schema.Track(kind="Video")
        stack.append(inner)
        track.append(stack)
        inner = track
    made = timeline([gap(1, 25)])
    made.tracks.append(inner)
    (shot,) = shots_of(made, tmp_path)
    assert shot.record == (0, 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["source_range"]["start_time"].update(rate=0), ["nowhere.mov", "frame rate"]),
        (lambda c: c["source_range"]["duration"].update(rate=-25), ["nowhere.mov", "frame rate"]),
        (lambda c: c["source_range"]["duration"].update(value=-20), ["nowhere.mov", "-0.8 s long"]),
        (lambda c: c["source_range"]["duration"].update(value=1e15), ["nowhere.mov", "no time"]),
        (lambda c: c["source_range"]["duration"].update(value=1e11), ["frames long"]),
        (lambda c: c["source_range"]["start_time"].update(value=float("nan")), ["nowhere.mov", "no time"]),
        (lambda c: c["source_range"]["start_time"].update(rate=float("inf")), ["nowhere.mov"]),
        (lambda c: c["source_range"]["duration"].update(rate="fast"), ["damaged"]),
        (lambda c: c["media_references"]["DEFAULT_MEDIA"]["available_range"]["duration"].update(rate=0), ["frame rate"]),
        (lambda c: c["media_references"]["DEFAULT_MEDIA"]["available_range"]["duration"].update(value=-5), ["long"]),
        (lambda c: c.update(effects=[{"OTIO_SCHEMA": "LinearTimeWarp.1", "name": "", "effect_name": "",
                                      "metadata": {}, "time_scalar": float("nan")}]), ["speed of nan"]),
        (lambda c: c.update(source_range=None, media_references={}), ["how long"]),
        (lambda c: c.update(source_range=7), ["damaged"]),
    ],
)  # fmt: skip
def test_times_that_are_none_are_refused_by_the_clip_s_name(change: Change, words: list[str], tmp_path: Path) -> None:
    refused(changed(tmp_path, change), *words)


def test_transitions_of_negative_length_are_refused(tmp_path: Path) -> None:
    made = simple()
    made.tracks[0].insert(1, otio.schema.Transition("odd", "", RationalTime(-3, 25), RationalTime(4, 25)))
    refused(written(made, tmp_path / "edit.otio"), "transition 'odd'")


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e9, float("nan")])
def test_edits_at_an_impossible_rate_are_refused(rate: float, tmp_path: Path) -> None:
    made = simple()
    made.global_start_time = RationalTime(0, rate)
    refused(written(made, tmp_path / "edit.otio"), "the edit")


def test_an_active_media_reference_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda c: c.update(active_media_reference_key="gone"))
    assert find_shots(read_edit(path))[0].media.url == "nowhere.mov"


def test_an_edit_that_holds_itself_is_refused(tmp_path: Path) -> None:
    found: dict[str, Any] = json.loads(simple().to_json_string())
    found["tracks"]["OTIO_REF_ID"] = "S"
    reference = {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "S"}
    found["tracks"]["children"][0]["children"].append(reference)
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps(found), "utf-8")
    refused(path, "two places")


def test_a_thing_that_metadata_refer_to_twice_is_no_circle(tmp_path: Path) -> None:
    found = json.loads(simple().to_json_string())
    time = {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "M"}
    found["metadata"] = {"a": {"OTIO_SCHEMA": "SerializableCollection.1", "OTIO_REF_ID": "M", "name": "", "metadata": {},
                               "children": []}, "b": time}  # fmt: skip
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps(found), "utf-8")
    assert len(find_shots(read_edit(path))) == 1


def test_schemas_that_nobody_knows_survive_in_every_place(tmp_path: Path) -> None:
    found = json.loads(simple().to_json_string())
    one = found["tracks"]["children"][0]["children"][0]
    one["effects"] = [{"OTIO_SCHEMA": "GlowOfAcme.7", "name": "g", "effect_name": "", "metadata": {}, "radius": 5}]
    one["media_references"]["proxy"] = {"OTIO_SCHEMA": "CloudReference.2", "name": "p", "metadata": {}, "bucket": "b",
                                        "available_range": None}  # fmt: skip
    one["metadata"]["x"] = {"OTIO_SCHEMA": "NoteOfAcme.1", "text": "t"}
    found["tracks"]["children"][0]["children"].append(
        {"OTIO_SCHEMA": "SlateOfAcme.3", "name": "s", "source_range": None, "metadata": {}, "effects": [],
         "markers": [], "enabled": True, "colour": [1, 2]}
    )  # fmt: skip
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps(found), "utf-8")
    edit = read_edit(path)
    again = json.loads(edit.timeline.to_json_string())["tracks"]["children"][0]["children"]
    assert again[0]["effects"][0]["radius"] == 5
    assert again[0]["media_references"]["proxy"]["bucket"] == "b"
    assert again[0]["metadata"]["x"]["text"] == "t"
    assert (again[-1]["OTIO_SCHEMA"], again[-1]["colour"]) == ("SlateOfAcme.3", [1, 2])
    assert [shot.id for shot in find_shots(edit)] == ["V1-0001"]


@pytest.mark.slow
def test_a_hundred_thousand_clips_are_read_in_bounded_time_and_memory(tmp_path: Path) -> None:
    one = json.loads(simple().to_json_string())
    track = one["tracks"]["children"][0]
    track["children"] = track["children"][:1] * 100_000
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps(one), "utf-8")
    program = (
        "import sys, time; from tests.support.peak import peak_memory; from host_bridge.timeline.read.edit import read_edit; from host_bridge.timeline.shots.find import find_shots\n"
        "found = find_shots(read_edit(sys.argv[1])); print(len(found), found[-1].record)\n"
        "print(peak_memory()); print(time.process_time())"
    )
    if os.name == "nt":
        pytest.skip("peak_memory does not know Windows")
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=300, check=True, cwd=ROOT
    )
    told, most, took = done.stdout.splitlines()
    assert told == "100000 (1999980, 20)"
    assert float(took) < 60
    assert float(most) * 1024 < 1_500_000


def bundle(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def content(url: str = "media/a.mov") -> bytes:
    made = timeline([clip(url, 0, 5, 25, available=span(0, 5, 25))])
    return bytes(made.to_json_string(), "utf-8")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "edit.otioz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.otio", content())
        with archive.open("media/a.mov", "w", force_zip64=True) as out:
            for _ in range(300):
                out.write(bytes(1 << 20))
    refused(tmp_path / "edit.otioz", "grows beyond reason", "media/a.mov")
    assert not (tmp_path / "edit.faceplate").exists()


def test_a_document_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    big = b'{"a": "' + b" " * (300 << 20) + b'"}'
    refused(bundle(tmp_path / "edit.otioz", {"content.otio": big}, zipfile.ZIP_DEFLATED), "beyond reason")


@pytest.mark.parametrize(
    "name", ["../evil.mov", "media/../../evil.mov", "/evil.mov", "C:\\evil.mov", "media\\..\\..\\evil.mov"]
)
def test_a_bundle_that_climbs_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    refused(bundle(tmp_path / "edit.otioz", {"content.otio": content(), name: b"x"}), "outside its folder")
    assert not list(tmp_path.rglob("evil.mov"))


def test_a_document_in_a_bundle_that_names_a_file_outside_of_it_is_refused(tmp_path: Path) -> None:
    refused(bundle(tmp_path / "edit.otioz", {"content.otio": content("../../secret.mov")}), "outside itself")
    folder = tmp_path / "edit.otiod"
    folder.mkdir()
    (folder / "content.otio").write_bytes(content("media/../../secret.mov"))
    refused(folder, "outside itself")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and nothing", b"no zip at all" * 50])
def test_what_is_no_bundle_is_said_to_be_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "edit.otioz"
    path.write_bytes(data)
    refused(path, "no OTIO bundle")


def test_a_bundle_that_is_cut_off_or_lacks_its_document_is_refused(tmp_path: Path) -> None:
    whole = bundle(tmp_path / "whole.otioz", {"content.otio": content(), "media/a.mov": b"x" * 5000}).read_bytes()
    path = tmp_path / "edit.otioz"
    path.write_bytes(whole[:3000])
    refused(path, "no OTIO bundle")
    refused(bundle(tmp_path / "empty.otioz", {"media/a.mov": b"x"}), "content.otio")
    (tmp_path / "folder.otiod").mkdir()
    refused(tmp_path / "folder.otiod", "content.otio")


def test_entities_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 100}">' for n in range(9))
    document = f'<?xml version="1.0"?><!DOCTYPE xmeml [<!ENTITY a0 "ha">{entities}]><xmeml version="5">&a9;</xmeml>'
    (tmp_path / "edit.xml").write_text(document, "utf-8")
    refused(tmp_path / "edit.xml", "damaged")


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("edit.xml", "<xmeml version='5'><sequence>", "damaged"),
        ("edit.xml", "<html><body/></html>", "root is <html>"),
        ("edit.fcpxml", "<xmeml version='5'/>", "root is <xmeml>"),
        ("edit.xml", "<xmeml version='5'/>", ""),
        ("edit.edl", "TITLE: x\n001  AX V C nonsense here\n", "EDL"),
        ("edit.edl", "\x00\x01\x02" * 100, ""),
        ("edit.aaf", "this is no AAF", "AAF"),
        ("edit.txt", "words", "not in a format that can be read"),
        ("edit.mov", "words", "not in a format that can be read"),
        ("edit.otiod", "a file", "is a folder"),
    ],
)
def test_damaged_files_of_other_formats_are_refused(name: str, text: str, word: str, tmp_path: Path) -> None:
    if name.endswith(".aaf"):
        pytest.importorskip("otio_aaf_adapter", reason="the extra `timeline` is not installed")
    (tmp_path / name).write_text(text, "utf-8")
    refused(tmp_path / name, word)


def test_a_converter_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    pytest.importorskip("otio_aaf_adapter", reason="the extra `timeline` is not installed")
    path = tmp_path / "edit.aaf"
    path.write_text("", "utf-8")
    with pytest.raises(SchemaError, match="within"):
        convert(path, limit=0.01)


def test_a_format_whose_reader_is_not_installed_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "edit.aaf").write_text("", "utf-8")
    told = refused(tmp_path / "edit.aaf", "not installed", kind=MissingDependencyError)
    assert "faceplate[timeline]" in told


def test_missing_and_unreadable_edits_are_named(tmp_path: Path) -> None:
    refused(tmp_path / "none.otio", "does not exist")
    (tmp_path / "folder.otio").mkdir()
    refused(tmp_path / "folder.otio", "is a folder")


def test_a_collection_of_several_timelines_asks_for_one(tmp_path: Path) -> None:
    both = otio.schema.SerializableCollection("bin", [simple(), simple()])
    (tmp_path / "edit.otio").write_text(both.to_json_string(), "utf-8")
    refused(tmp_path / "edit.otio", "2 timelines")
    one = otio.schema.SerializableCollection("bin", [simple()])
    (tmp_path / "edit.otio").write_text(one.to_json_string(), "utf-8")
    assert len(find_shots(read_edit(tmp_path / "edit.otio"))) == 1


def test_every_name_that_a_stranger_may_give_is_missing_media_and_no_error(tmp_path: Path) -> None:
    urls = ["", " ", "\n", "x" * 5000, "file://", "file:///", "C:", "//", "%00", "%zz.mov", "a%04d%04d.exr", "~/x.mov",
            "http://example.com/a.mov", "data:,x", "\\\\", "/dev/null", "..", ".", "/", "😀.mov", "con", "[1-9].exr"]  # fmt: skip
    made = timeline([clip(url, 0, 5, 25, available=span(0, 5, 25), name="c") for url in urls])
    shots = find_shots(read_again(made, tmp_path))
    assert len(shots) == len(urls)
    assert all(shot.media.path is None and shot.notes for shot in shots)
