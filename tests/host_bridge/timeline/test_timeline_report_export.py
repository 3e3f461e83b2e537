"""What an exported edit says of its results by itself, clip by clip, and the report that is read from it alone, on another machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from host_bridge.timeline.read.edit import read_edit
from host_bridge.timeline.shots.find import find_shots
from host_bridge.timeline.shots.shot import Media
from host_bridge.timeline.write.tree import CLIP, EXPORT, clips, marked
from nodes.cache import digest_file
from nodes.consent.edit import revoke
from tests.support.cuts import clip, span, timeline, written
from tests.support.numbered import numbered_movie
from tests.support.show import NAME, TODAY, Show, new_show
from tests.support.timeline_results import done_shot, run_of, swapped

Run = Callable[..., tuple[int, str, str]]
WAYS = [
    ("swap", "otio"), ("swap", "resolve"), ("swap", "blender", "--media", "sequence"), ("swap", "otio", "--for-otio", "0.14.0"),
    ("layer", "resolve"), ("layer", "blender"), ("versions", "otio"), ("versions", "resolve", "--media", "h264"),
]  # fmt: skip


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    """A show whose edit has a shot, and another inside a compound clip; both are done, of Ann and another."""
    with pytest.MonkeyPatch.context() as patch:
        made = new_show(patch, tmp_path_factory.mktemp("show"))
        plate = numbered_movie(made.folder / "plate.mov", 24, 25)
        inner = otio.schema.Track("V", kind=otio.schema.TrackKind.Video)
        inner.append(clip(plate, 12, 6, 25, available=span(0, 24, 25), name="inside"))
        nest = otio.schema.Stack("compound", source_range=span(0, 6, 25))
        nest.append(inner)
        outer = clip(plate, 2, 6, 25, available=span(0, 24, 25), name="interview")
        written(timeline([outer, nest]), made.edit)
        edit = read_edit(made.edit)
        shots = []
        for shot in find_shots(edit):
            swapped(made.out / "shots" / shot.id, plate, shot.span)
            media = Media(url=shot.media.url, path=plate, rate=shot.media.rate, start=0, frames=24)
            shots.append(done_shot(shot.id, shot.where, media, shot.span))
        model = made.folder / "model.onnx"
        model.write_bytes(b"a model")
        plate_of = json.loads((made.out / "shots" / "V1-0001" / "shot.json").read_bytes())["inputs"]
        trained = {"model": {"path": str(model), "digest": digest_file(model)}}
        made.tell("V1-0001", inputs=plate_of | trained, settings={"swap": {"method": "model"}})
        run_of(edit, *shots, out=made.out)
        yield made


@pytest.fixture
def export(show: Show, run: Run, tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, mode: str, profile: str, *options: object) -> Path:
        target = tmp_path / name
        told = ("--as", mode, "--profile", profile, *options, "--out", target)
        status, _, err = run("timeline", "export", show.edit, *told)
        assert status == 0, err
        return target

    return write


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path], Path]:
    """Take a file to another machine: no project, and other keys."""

    def go(path: Path) -> Path:
        (folder := tmp_path / "elsewhere").mkdir()
        monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "other keys"))
        monkeypatch.chdir(folder)
        return Path(shutil.move(path, folder))

    return go


@pytest.fixture
def report(run: Run) -> Callable[..., dict[str, Any]]:
    def told(edit: Path, *options: object) -> dict[str, Any]:
        status, out, err = run("timeline", "report", edit, "--json", *options)
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    return told


def states(found: dict[str, Any]) -> list[str]:
    return [s["result"]["credentials"]["state"] for s in found["shots"]]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_every_clip_with_a_result_says_by_whom_and_by_what_it_was_made_and_names_nobody(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], show: Show, way: tuple[str, ...]
) -> None:
    path = export("out.otio", *way)
    text = path.read_text("utf-8")
    assert not any(word in text for word in ("Ann", "Ben", NAME, "Weiß", "release.pdf"))
    blocks = [told for c in clips(json.loads(text)["tracks"]) if (told := marked(c, CLIP))]
    assert sorted(b["shot"] for b in blocks) == ["V1-0001", "V1-0002.V1-0001"]
    ids = {"target": show.ann.performer.id, "source": show.put_in.performer.id, "tracks": []}
    for block in blocks:
        assert block["cast"] == [ids]
        parts = {p["role"]: (p["id"], tuple(p["consents"])) for p in block["provenance"]["performers"]}
        assert parts == {
            "target": (show.ann.performer.id, (show.ann.consent.id,)),
            "source": (show.put_in.performer.id, (show.put_in.consent.id,)),
        }
        assert len(block["media"]["sha256"]) == 64
        assert block["credentials"]["signed"] is True
    models = {b["shot"]: [m["sha256"] for m in b["models"]] for b in blocks}
    assert models == {"V1-0001": [hashlib.sha256(b"a model").hexdigest()], "V1-0002.V1-0001": []}
    found = report(path, "--project", show.folder)
    assert (found["covered"], found["run"], found["export"]["mode"]) == ("yes", None, way[0])
    assert states(found) == ["intact", "intact"]
    assert {(s["cast"][0]["target"], s["cast"][0]["source"]) for s in found["shots"]} == {("Ann", NAME)}
    assert [s["frames"] for s in sorted(found["shots"], key=lambda s: s["id"])] == [
        {"first": 2, "last": 7, "count": 6},
        {"first": 12, "last": 17, "count": 6},
    ]


@pytest.mark.parametrize("name", ["hand.otioz", "hand.otiod"])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[5]], ids=" ".join)
def test_a_bundle_carries_its_content_credentials_and_is_told_of_without_the_project(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], elsewhere: Callable[[Path], Path], show: Show, name: str, way: tuple[str, ...]
) -> None:  # fmt: skip
    moved = elsewhere(export(name, *way))
    found = report(moved)
    assert states(found) == ["stranger", "stranger"]
    assert found["covered"] == "unknown"
    assert found["shots"][0]["cast"] == [{"target": show.ann.performer.id, "source": show.put_in.performer.id}]
    assert {c["stands"] for c in found["consents"].values()} == {"not looked up"}
    assert list(moved.parent.iterdir()) == [moved]
    assert states(report(moved, "--no-verify")) == ["unverified", "unverified"]


def test_a_result_that_was_changed_in_an_export_is_found(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], show: Show
) -> None:
    path = export("hand.otiod", "swap", "resolve")
    movie = sorted((path / "media").glob("V1-0001.composite.*.mov"))[0]
    movie.write_bytes(movie.read_bytes()[:-1] + b"?")
    found = report(path, "--project", show.folder)
    assert (states(found), found["covered"]) == (["changed", "intact"], "no")
    assert found["answers"][2]["why"] == [f"V1-0001: {movie.name} is not what was exported"]
    pictures = export("layer.otiod", "layer", "blender")
    frame = sorted((pictures / "media").glob("V1-0001*/*.png"))[2]
    frame.unlink()
    shutil.copy(frame.with_name(frame.name.replace("000004", "000003").replace("0004", "0003")), frame)
    assert sorted(states(report(pictures, "--project", show.folder))) == ["changed", "intact"]


def test_a_result_whose_manifest_was_taken_out_of_a_bundle_is_found(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], show: Show
) -> None:
    path = export("hand.otiod", "swap", "otio")
    (path / "media" / "composite.c2pa").unlink()
    assert "gone" in states(report(path, "--project", show.folder))


def test_media_that_are_elsewhere_are_found_by_media_root_and_missing_ones_are_said(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], elsewhere: Callable[[Path], Path], show: Show
) -> None:
    moved = elsewhere(export("out.otio", "swap", "resolve"))
    media, there = show.out / "media", moved.with_name("results")
    shutil.copytree(media, there / "deep")
    moved.write_text(moved.read_text("utf-8").replace(media.as_posix(), "/volumes/gone"), "utf-8")
    assert states(report(moved, "--project", show.folder)) == ["absent", "absent"]
    found = report(moved, "--project", show.folder, "--media-root", there)
    assert states(found) == ["stranger", "stranger"]


def test_a_consent_that_was_revoked_since_shows_in_the_report_of_an_earlier_export(
    export: Callable[..., Path],
    report: Callable[..., dict[str, Any]],
    show: Show,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = export("hand.otioz", "swap", "otio")
    monkeypatch.setenv("FACEPLATE_KEYS", str(shutil.copytree(show.folder.parent / "keys", tmp_path / "their keys")))
    project = shutil.copytree(show.folder / "performers", tmp_path / "copy" / "performers").parent
    revoke(project, "Ann", "a new contract", TODAY)
    found = report(path, "--project", project)
    id = show.ann.consent.id
    assert found["answers"][0] == {
        "id": "consent",
        "question": "May every face in it be used so today?",
        "answer": "no",
        "why": [f"V1-0001, V1-0002.V1-0001: Ann may not be replaced today ({id} was revoked on 2026-07-01)"],
    }


def test_an_edit_that_came_as_a_bundle_is_known_again_and_a_change_in_it_too(
    report: Callable[..., dict[str, Any]], run: Run, show: Show, tmp_path: Path
) -> None:
    text = show.edit.read_text("utf-8")
    for kind in (".otioz", ".otiod"):
        edit, out = tmp_path / f"cut{kind}", tmp_path / f"run{kind}"

        def write(content: str, edit: Path = edit, kind: str = kind) -> None:
            if kind == ".otiod":
                edit.mkdir(exist_ok=True)
                (edit / "content.otio").write_text(content, "utf-8")
            else:
                with zipfile.ZipFile(edit, "w") as archive:
                    archive.writestr("content.otio", content)

        write(text)
        run_of(read_edit(edit), out=out)
        assert report(edit, "--out", out)["edit"]["changed"] is False
        write(text.replace("interview", "another name"))
        assert report(edit, "--out", out)["edit"]["changed"] is True


def test_names_that_the_edit_itself_says_stay_as_they_are(
    report: Callable[..., dict[str, Any]], run: Run, show: Show, tmp_path: Path
) -> None:
    edit = otio.adapters.read_from_file(str(show.edit))
    edit.tracks[0][0].markers.append(otio.schema.Marker("FACE target=Ann source=Ben", span(0, 1, 25)))
    written(edit, path := tmp_path / "said.otio")
    read = read_edit(path)
    state = json.loads((show.out / "timeline.json").read_bytes())
    shutil.copytree(show.out, tmp_path / "said.faceplate")
    (tmp_path / "said.faceplate" / "timeline.json").write_text(
        json.dumps(state | {"edit": {"path": str(path), "digest": read.digest}})
    )
    status, _, err = run("timeline", "export", path, "--out", tmp_path / "out.otio", "--project", show.folder)
    assert status == 0, err
    document = json.loads((tmp_path / "out.otio").read_bytes())
    told = [block for c in clips(document["tracks"]) if (block := marked(c, CLIP))]
    assert told[0]["cast"] == [{"target": "Ann", "source": "Ben", "tracks": []}]
    assert NAME not in (tmp_path / "out.otio").read_text("utf-8")


def test_a_block_that_was_edited_contradicts_what_was_signed_with_the_result(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], show: Show
) -> None:
    path = export("out.otio", "swap", "otio")
    path.write_text(path.read_text("utf-8").replace(show.ann.consent.id, show.put_in.consent.id), "utf-8")
    found = report(path, "--project", show.folder)
    assert (set(states(found)), found["covered"]) == ({"contradicted"}, "no")


def test_a_clip_that_shows_a_result_and_says_nothing_of_it_is_named(
    export: Callable[..., Path], report: Callable[..., dict[str, Any]], show: Show
) -> None:
    path = export("out.otio", "swap", "otio")
    document = json.loads(path.read_bytes())
    del next(clips(document["tracks"]))["metadata"]["faceplate"]
    path.write_text(json.dumps(document))
    found = report(path, "--project", show.folder)
    assert found["answers"][3]["why"] == ["The clip 'interview' shows a result, and does not say which"]
    assert found["covered"] == "no"


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: next(clips(d["tracks"]))["metadata"]["faceplate"]["result"].update(span="x"),
        lambda d: next(clips(d["tracks"]))["metadata"]["faceplate"]["result"].update(provenance={"performers": 3}),
        lambda d: d["metadata"]["faceplate"]["result"].pop("digest"),
    ],
)
def test_a_damaged_block_ends_with_one_line(
    export: Callable[..., Path], run: Run, show: Show, damage: Callable[[Any], object]
) -> None:
    path = export("out.otio", "swap", "otio")
    document = json.loads(path.read_bytes())
    assert marked(document, EXPORT)
    damage(document)
    path.write_text(json.dumps(document))
    status, _, err = run("timeline", "report", path)
    assert (status, err.count("\n")) == (7, 1)
    assert "damaged" in err and "faceplate timeline export" in err
