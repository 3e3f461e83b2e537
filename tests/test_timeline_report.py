"""`faceplate timeline report`: what the legal department reads of an edit, shot by shot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import open_browser
from consents import apart, consent
from numbered import numbered_movie
from playwright.sync_api import Browser
from timeline_results import done_shot, swapped

from host_bridge.timeline.document import (
    CastRecord,
    EditRecord,
    ErrorRecord,
    MediaRecord,
    ShotRecord,
    TimelineRun,
    save,
)
from nodes.consent import clock
from nodes.consent.edit import Added, revoke
from nodes.consent.provenance import Part, Provenance
from nodes.consent.samples import RECORD
from nodes.credentials.identity import load_identity
from nodes.credentials.shot import sign_shot
from nodes.shot import document
from nodes.shot.digest import digest_file

Run = Callable[..., tuple[int, str, str]]
TODAY = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
NAME = "Jürgen <b>Weiß</b>"
MEDIA = MediaRecord(url="plate.mov", path=None, rate=Fraction(25), start=1000, frames=100)


@dataclass(frozen=True)
class Show:
    """A project with a run of an edit. ann is replaced, who gave consent; jürgen is put in."""

    folder: Path
    edit: Path
    ann: Added
    put_in: Added

    @property
    def out(self) -> Path:
        return self.edit.with_name("cut.faceplate")

    def save(self, *shots: ShotRecord) -> None:
        digest = hashlib.sha256(self.edit.read_bytes()).hexdigest()
        save(self.out, TimelineRun(edit=EditRecord(path=self.edit, digest=digest), shots=shots))

    def result(self, name: str, method: str = "model", **more: Any) -> Path:
        """A shot's document as a swap with a model leaves it, and that model."""
        folder = self.out / "shots" / name
        folder.mkdir(parents=True)
        model = self.folder / "ann.onnx"
        model.write_bytes(b"a model")
        inputs: dict[str, Any] = {"plate": {"path": "/plates/plate.mov", "digest": "aa" * 32}}
        if method == "model":
            inputs["model"] = {"path": str(model), "digest": digest_file(model)}
        parts = (
            Part(id=self.ann.performer.id, role="target", consents=(self.ann.consent.id,)),
            Part(id=self.put_in.performer.id, role="source", consents=(self.put_in.consent.id,)),
        )
        provenance = Provenance(performers=parts, footage=("aa" * 32, "bb" * 32))
        told = {
            "schema": "faceplate.shot/1",
            "inputs": inputs,
            "settings": {"swap": {"method": method}},
            "provenance": provenance.document(),
        }
        (folder / "shot.json").write_text(json.dumps(told | more))
        return folder


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    folder = apart(monkeypatch, tmp_path)
    monkeypatch.setattr("nodes.credentials.config.user_config_path", lambda *_, **__: tmp_path / "config")
    monkeypatch.setattr(clock, "now", lambda: TODAY)
    ann = consent(folder, "Ann", "replaced", until=date(2027, 12, 31))
    put_in = consent(folder, NAME, "replacement", "train", until=None)
    edit = folder / "cut.otio"
    edit.write_text("an edit that the report does not look into")
    return Show(folder, edit, ann, put_in)


@pytest.fixture
def report(run: Run, show: Show) -> Callable[..., dict[str, Any]]:
    def told(*options: object) -> dict[str, Any]:
        status, out, err = run("timeline", "report", show.edit, "--json", *options)
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        assert found["schema"] == "faceplate.timeline-report/1"
        return found

    return told


def test_a_shot_says_who_was_replaced_by_whom_by_which_consents_and_with_which_model(
    report: Callable[..., dict[str, Any]], show: Show
) -> None:
    show.result("S1")
    show.save(done_shot("S1", (0, 0), MEDIA, (10, 59), name="interview"))
    found = report()
    assert (found["production"], found["edit"]["changed"]) == ("show", False)
    assert found["edit"]["digest"] == hashlib.sha256(show.edit.read_bytes()).hexdigest()
    assert found["made"].startswith("2026-07-01")
    (shot,) = found["shots"]
    assert shot["frames"] == {"first": 1010, "last": 1059, "count": 50}
    assert shot["seconds"] == 2
    assert shot["cast"] == [{"target": "Ann", "source": NAME}]
    assert [(p["role"], p["may_now"]) for p in shot["people"]] == [("target", True), ("source", True)]
    (model,) = shot["result"]["models"]
    assert (model["name"], model["sha256"]) == ("ann.onnx", hashlib.sha256(b"a model").hexdigest())
    assert [(f["part"], f["digest"][:2]) for f in shot["result"]["footage"]] == [("plate", "aa"), ("faces", "bb")]
    ann = found["consents"][show.ann.consent.id]
    assert (ann["given_by"], ann["uses"], ann["from"], ann["until"]) == (
        "Ann",
        ["replaced"],
        "2026-06-15",
        "2027-12-31",
    )
    assert (ann["holds"], ann["stands"], ann["document"]["name"]) == (True, "in force", "release.pdf")
    assert found["consents"][show.put_in.consent.id]["until"] is None
    assert found["attention"] == ["S1: no Content Credentials"]


def test_consents_that_were_revoked_or_have_expired_are_said_plainly(
    report: Callable[..., dict[str, Any]], show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    show.result("S1")
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    revoke(show.folder, "Ann", "a new contract", TODAY)
    found = report()
    id = show.ann.consent.id
    assert found["consents"][id]["holds"] is False
    assert f"S1: consent {id} of Ann: revoked on 2026-07-01 (a new contract)" in found["attention"]
    assert "S1: Ann may not be replaced today" in found["attention"]
    show.result("S0")
    show.save(done_shot("S0", (0, 2), MEDIA, (0, 9)), done_shot("S1", (0, 0), MEDIA, (0, 9)))
    assert "S0, S1: Ann may not be replaced today" in report()["attention"]
    later = consent(show.folder, "Ben", "replaced", until=date(2026, 8, 1), now=TODAY)
    part = Part(id=later.performer.id, role="target", consents=(later.consent.id,))
    show.result("S2", provenance=Provenance(performers=(part,)).document())
    show.save(done_shot("S2", (0, 1), MEDIA, (0, 9)))
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 9, 1, tzinfo=UTC))
    assert f"S2: consent {later.consent.id} of Ben: expired on 2026-08-01" in report()["attention"]


def test_a_consent_that_has_ended_and_was_given_anew_still_allows_it(
    report: Callable[..., dict[str, Any]], show: Show
) -> None:
    show.result("S1")
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    revoke(show.folder, show.ann.consent.id, "", TODAY)
    consent(show.folder, "Ann", "replaced", until=date(2028, 1, 1), now=TODAY)
    found = report()
    assert found["shots"][0]["people"][0]["may_now"] is True
    assert f"S1: consent {show.ann.consent.id} of Ann: revoked on 2026-07-01" in found["attention"]
    assert "S1: Ann may not be replaced today" not in found["attention"]


def test_another_production_does_not_have_these_consents(report: Callable[..., dict[str, Any]], show: Show) -> None:
    show.result("S1")
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    found = report("--production", "Sequel")
    assert found["production"] == "Sequel"
    assert {c["stands"] for c in found["consents"].values()} == {"for another production, 'show'"}


def test_shots_without_a_result_without_a_model_and_by_unknown_models_are_named_as_such(
    report: Callable[..., dict[str, Any]], show: Show
) -> None:
    show.result("S1", "reference")
    show.result("S2", provenance=Provenance(unknown=("dd" * 32,)).document())
    failed = ShotRecord(
        id="S3", name="x", where=(0, 2), media=MEDIA, span=(0, 9), state="failed", error=ErrorRecord(message="no face"),
        cast=(CastRecord(target="Ann", source="Ben"),),
    )  # fmt: skip
    waiting = ShotRecord(id="S4", name="y", where=(0, 3), media=MEDIA, span=(0, 9))
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)), done_shot("S2", (0, 1), MEDIA, (0, 9)), failed, waiting)
    found = report()
    assert found["shots"][0]["result"]["models"] == []
    assert [s["result"] is None for s in found["shots"]] == [False, False, True, True]
    assert found["shots"][2]["cast"] == [{"target": "Ann", "source": "Ben"}]
    for line in (
        "S2: does not say by whose consent it was made",
        f"S2: the model {'dd' * 32} does not say whom it was trained on",
        "S3: no result, failed: no face",
        "S4: no result, not done yet",
    ):
        assert line in found["attention"]


def test_several_people_in_one_shot_are_paired_by_the_names_of_the_cast(
    report: Callable[..., dict[str, Any]], show: Show
) -> None:
    ben = consent(show.folder, "Ben", "replaced")
    parts = [
        Part(id=who.performer.id, role=role, consents=(who.consent.id,))
        for who, role in ((show.ann, "target"), (show.put_in, "source"), (ben, "target"))
    ]
    folder = show.result("S1", provenance=Provenance(performers=tuple(parts)).document())
    told = json.loads((folder / "shot.json").read_bytes())
    told["inputs"]["model_2"] = told["inputs"]["model"] | {"path": str(show.folder / "gone.onnx")}
    (folder / "shot.json").write_text(json.dumps(told))
    cast = (CastRecord(target="ANN", source="x"), CastRecord(target="Ben", source="x"))
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)).model_copy(update={"cast": cast}))
    found = report()
    assert found["shots"][0]["cast"] == [{"target": "Ann", "source": NAME}, {"target": "Ben", "source": NAME}]
    assert [m["name"] for m in found["shots"][0]["result"]["models"]] == ["ann.onnx", "gone.onnx"]
    assert any("gone.onnx: the file is not there any more" in line for line in found["attention"])


def test_a_real_result_says_that_it_is_signed_and_what_of_it_is_gone(
    report: Callable[..., dict[str, Any]], show: Show, tmp_path: Path
) -> None:
    plate = numbered_movie(tmp_path / "plate.mov", 12, 25)
    folder = swapped(show.out / "shots" / "S1", plate, (2, 5))
    told = document.load(folder)
    told["credentials"] = sign_shot(folder, told, load_identity())
    document.save(folder / "shot.json", told)
    show.save(done_shot("S1", (0, 0), MEDIA, (2, 5)))
    found = report()
    credentials = found["shots"][0]["result"]["credentials"]
    assert credentials["carried"] and not credentials["missing"]
    assert credentials["verify"].startswith("faceplate credentials verify ")
    assert found["attention"] == []
    (folder / "composite.c2pa").unlink()
    assert report()["shots"][0]["result"]["credentials"]["missing"] == ["composite.mkv"]


def test_switched_off_content_credentials_are_said_with_the_reason(
    report: Callable[..., dict[str, Any]], show: Show
) -> None:
    show.result("S1", credentials={"signed": False, "since": "2026-06-20T10:00:00+00:00", "reason": "tests"})
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    assert report()["attention"] == ["S1: no Content Credentials: switched off on 2026-06-20 (tests)"]


def test_without_a_project_there_are_ids_and_nothing_is_claimed_of_them(
    run: Run, show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = Part(id="sample-franck", role="source", consents=(RECORD,))
    part = Part(id="p-000000000001", role="target", consents=("c-000000000001",))
    show.result("S1", provenance=Provenance(performers=(part, sample)).document())
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    (tmp_path / "elsewhere").mkdir()
    moved = show.edit.rename(tmp_path / "elsewhere" / "cut.otio")
    show.out.rename(tmp_path / "elsewhere" / "run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, out, err = run("timeline", "report", moved, "--out", tmp_path / "elsewhere" / "run", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["shots"][0]["cast"] == [{"target": "p-000000000001", "source": "franck"}]
    assert [c["holds"] for c in found["consents"].values()] == [None, True]
    assert found["attention"][0].startswith("No project with records of consent was found")


def test_an_edit_that_was_changed_since_is_said(report: Callable[..., dict[str, Any]], show: Show) -> None:
    show.save()
    show.edit.write_text("changed")
    found = report()
    assert found["edit"]["changed"] is True
    assert "changed since" in found["attention"][0]


def test_what_is_missing_or_damaged_ends_with_one_line_that_says_what_to_do(run: Run, show: Show) -> None:
    def refused(*arguments: object) -> str:
        status, _, err = run("timeline", "report", *arguments)
        assert (status, err.count("\n")) == (7, 1)
        return err

    assert "does not exist" in refused(show.folder / "none.otio")
    assert "faceplate timeline run" in refused(show.edit)
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    said = refused(show.edit)
    assert "shot S1 is done, but its results are not here" in said
    assert str(show.out / "shots" / "S1") in said
    folder = show.result("S1")
    for text in ("{", '{"schema": "faceplate.shot/1", "inputs": []}', '{"schema": "faceplate.shot/9"}'):
        (folder / "shot.json").write_text(text)
        assert "shot.json" in refused(show.edit)


def test_records_that_were_tampered_with_give_no_report(run: Run, show: Show) -> None:
    show.save()
    record = show.folder / "performers" / "000002.json"
    record.write_text(record.read_text("utf-8").replace("Ann", "Eve"), "utf-8")
    status, _, err = run("timeline", "report", show.edit)
    assert status == 10
    assert "cannot be relied on" in err


def test_people_read_a_table_and_what_to_look_at(run: Run, show: Show) -> None:
    show.result("S1", "reference")
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    status, out, _ = run("timeline", "report", show.edit)
    assert status == 0
    assert f"Ann by {NAME}" in out and "no trained model" in out
    assert "S1: no Content Credentials" in out


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    assert pytestconfig.cache is not None
    with open_browser(pytestconfig.cache.mkdir("browser")) as started:
        yield started


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_is_whole_in_one_file_and_names_are_text(
    scheme: Any, run: Run, show: Show, tmp_path: Path, browser: Browser
) -> None:
    show.result("S1")
    show.result("S2", "reference")
    waiting = ShotRecord(id="S3", name="<i>wide</i>", where=(0, 3), media=MEDIA, span=(0, 9))
    show.save(
        done_shot("S1", (0, 0), MEDIA, (10, 59), name="<b>ä</b>"), done_shot("S2", (0, 1), MEDIA, (0, 9)), waiting
    )
    revoke(show.folder, "Ann", "a new <b>contract</b>", TODAY)
    path = tmp_path / "report.html"
    status, _, err = run("timeline", "report", show.edit, "--html", path)
    assert status == 0, err
    context = browser.new_context(color_scheme=scheme, viewport={"width": 400, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.title() == "cut.otio · Faceplate report"
    assert page.locator("b, i").count() == 0
    assert page.locator("#S1 h3").inner_text() == "<b>ä</b>"
    assert f"Ann by {NAME}" in page.locator("#S1").inner_text()
    assert hashlib.sha256(b"a model").hexdigest() in page.locator("#S1").inner_text()
    assert "no trained model" in page.locator("#S2").inner_text()
    assert "no result: not done yet" in page.locator("#S3").inner_text()
    assert "revoked on 2026-07-01 (a new <b>contract</b>)" in page.locator("table").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert asked == [path.as_uri()]
    assert Axe().run(page).response["violations"] == []
    context.close()
