"""`faceplate timeline report`: what the legal department is told of an edit that was run, shot by shot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from host_bridge.timeline.document import ErrorRecord, ShotRecord
from host_bridge.timeline.shots.shot import Casting
from nodes.consent import records as clock
from nodes.consent.edit import revoke
from nodes.consent.gate import RECORD
from nodes.consent.provenance import PerformerPart, Provenance
from tests.support.consents import consent
from tests.support.show import MEDIA, NAME, TODAY, Show, part
from tests.support.show import show as show
from tests.support.timeline_results import done_shot

Run = Callable[..., tuple[int, str, str]]
Report = Callable[..., dict[str, Any]]


@pytest.fixture
def report(run: Run, show: Show) -> Report:
    def told(*options: object) -> dict[str, Any]:
        status, out, err = run("timeline", "report", show.edit, "--json", *options)
        assert status == 0, err
        found: dict[str, Any] = json.loads(out)
        assert found["schema"] == "faceplate.timeline-report/1"
        return found

    return told


def answer(found: dict[str, Any], id: str) -> tuple[str, list[str]]:
    """What is answered to a question, and why."""
    (one,) = [a for a in found["answers"] if a["id"] == id]
    return one["answer"], one["why"]


def test_a_shot_says_who_was_replaced_by_whom_by_which_consents_and_with_which_model(
    report: Report, show: Show
) -> None:
    folder = show.result("S1")
    show.save(done_shot("S1", (0, 0), MEDIA, (10, 59), name="interview"))
    found = report()
    assert (found["covered"], found["remarks"], found["verified"]) == ("yes", [], True)
    assert (found["production"], found["edit"]["changed"]) == ("show", False)
    assert found["edit"]["digest"] == hashlib.sha256(show.edit.read_bytes()).hexdigest()
    assert found["made"].startswith("2026-07-01")
    (shot,) = found["shots"]
    assert shot["frames"] == {"first": 1010, "last": 1059, "count": 50}
    assert shot["seconds"] == 2
    assert shot["cast"] == [{"target": "Ann", "source": NAME}]
    assert [(p["role"], p["may_now"]) for p in shot["people"]] == [("target", True), ("source", True)]
    result = shot["result"]
    (model,) = result["models"]
    assert (model["name"], model["sha256"]) == ("ann.onnx", hashlib.sha256(b"a model ann.onnx").hexdigest())
    assert [(f["part"], f["digest"][:2]) for f in result["footage"]][1:] == [("faces", "bb")]
    assert result["sha256"] == hashlib.sha256((folder / "composite.mkv").read_bytes()).hexdigest()
    assert result["credentials"]["state"] == "intact"
    assert result["credentials"]["verify"].startswith("faceplate credentials verify ")
    ann = found["consents"][show.ann.consent.id]
    assert (ann["given_by"], ann["uses"], ann["from"], ann["until"]) == (
        "Ann",
        ["replaced"],
        "2026-06-15",
        "2027-12-31",
    )
    assert (ann["holds"], ann["stands"], ann["document"]["name"]) == (True, "in force", "release.pdf")
    assert found["consents"][show.put_in.consent.id]["until"] is None


def test_consents_that_were_revoked_or_have_expired_are_said_plainly(
    report: Report, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    show.save(show.shot("S0"), show.shot("S1", 1))
    revoke(show.folder, "Ann", "a new contract", TODAY)
    found, id = report(), show.ann.consent.id
    assert (found["consents"][id]["holds"], found["consents"][id]["reason"]) == (False, "a new contract")
    assert found["covered"] == "no"
    assert answer(found, "consent") == (
        "no",
        [f"S0, S1: Ann may not be replaced today ({id} was revoked on 2026-07-01)"],
    )
    later = consent(show.folder, "Ben", "replaced", until=date(2026, 8, 1), now=TODAY)
    show.result("S2", target=later)
    show.save(done_shot("S2", (0, 1), MEDIA, (0, 9)))
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 9, 1, tzinfo=UTC))
    assert answer(report(), "consent") == (
        "no",
        [f"S2: Ben may not be replaced today ({later.consent.id} ended on 2026-08-01)"],
    )


def test_a_consent_that_has_ended_and_was_given_anew_still_allows_it_and_is_remarked(
    report: Report, show: Show
) -> None:
    show.save(show.shot("S1"))
    revoke(show.folder, show.ann.consent.id, "", TODAY)
    consent(show.folder, "Ann", "replaced", until=date(2028, 1, 1), now=TODAY)
    found = report()
    assert found["shots"][0]["people"][0]["may_now"] is True
    assert found["covered"] == "yes"
    assert found["remarks"] == [
        f"S1: consent {show.ann.consent.id} of Ann was revoked on 2026-07-01; another one allows it today"
    ]


def test_another_production_does_not_have_these_consents(report: Report, show: Show) -> None:
    show.save(show.shot("S1"))
    found = report("--production", "Sequel")
    assert (found["production"], found["covered"]) == ("Sequel", "no")
    assert {c["stands"] for c in found["consents"].values()} == {"is for the production 'show', this is 'Sequel'"}


def test_shots_without_a_result_without_a_model_and_by_unknown_models_are_named_as_such(
    report: Report, show: Show
) -> None:
    show.result("S1", "reference")
    show.result("S2", provenance=Provenance(unknown=("dd" * 32,)).document())
    failed = ShotRecord(
        id="S3", name="x", where=(0, 2), media=MEDIA, span=(0, 9), state="failed", error=ErrorRecord(message="no face"),
        cast=(Casting(target="Ann", source="Ben"),),
    )  # fmt: skip
    waiting = ShotRecord(id="S4", name="y", where=(0, 3), media=MEDIA, span=(0, 9))
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)), done_shot("S2", (0, 1), MEDIA, (0, 9)), failed, waiting)
    found = report()
    assert found["shots"][0]["result"]["models"] == []
    assert [s["result"] is None for s in found["shots"]] == [False, False, True, True]
    assert found["shots"][2]["cast"] == [{"target": "Ann", "source": "Ben"}]
    assert answer(found, "consent") == ("no", ["S2: does not say by whose consent it was made"])
    assert answer(found, "models") == ("no", ["S2: the model dddddddddddd… does not say whom it was trained on"])
    assert found["remarks"] == ["S3: no result, failed: no face", "S4: no result, not done yet"]


def test_several_people_in_one_shot_are_paired_by_the_names_of_the_cast(report: Report, show: Show) -> None:
    ben = consent(show.folder, "Ben", "replaced")
    parts = (part(show.ann, "target"), part(show.put_in, "source"), part(ben, "target"))
    folder = show.result("S1", provenance=Provenance(performers=parts).document())
    inputs = json.loads((folder / "shot.json").read_bytes())["inputs"]
    show.tell("S1", inputs=inputs | {"model_2": inputs["model"] | {"path": str(show.folder / "gone.onnx")}})
    cast = (Casting(target="ANN", source="x"), Casting(target="Ben", source="x"))
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)).model_copy(update={"cast": cast}))
    found = report()
    assert found["shots"][0]["cast"] == [{"target": "Ann", "source": NAME}, {"target": "Ben", "source": NAME}]
    assert [m["name"] for m in found["shots"][0]["result"]["models"]] == ["ann.onnx", "gone.onnx"]
    assert any("gone.onnx: the file is not there any more" in line for line in found["remarks"])


def test_a_models_sha256_is_told_as_recorded_when_its_file_is_gone(report: Report, show: Show) -> None:
    folder = show.result("S1")
    inputs = json.loads((folder / "shot.json").read_bytes())["inputs"]
    show.tell("S1", inputs=inputs | {"model": inputs["model"] | {"sha256": "cc" * 32}})
    (show.folder / "ann.onnx").write_bytes(b"trained on")
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    found = report()
    assert found["shots"][0]["result"]["models"][0]["sha256"] == "cc" * 32
    assert found["remarks"] == ["S1: ann.onnx: the file was changed since"]


def test_a_result_that_was_changed_or_is_gone_is_found_and_so_is_one_whose_manifest_was_taken_away(
    report: Report, show: Show
) -> None:
    show.save(*(show.shot(f"S{i}", i) for i in range(4)))
    shots = show.out / "shots"
    (shots / "S1" / "composite.mkv").write_bytes(b"another picture")
    (shots / "S2" / "composite.mkv").unlink()
    (shots / "S3" / "composite.c2pa").unlink()
    found = report()
    assert [s["result"]["credentials"]["state"] for s in found["shots"]] == ["intact", "changed", "gone", "gone"]
    said, why = answer(found, "results")
    assert (said, len(why), found["covered"]) == ("no", 3, "no")
    assert why[0].startswith("S1: composite.mkv: not intact: the file was changed after it was signed")


def test_a_document_that_was_edited_contradicts_what_was_signed_with_the_result(report: Report, show: Show) -> None:
    show.save(show.shot("S1"))
    parts = (
        part(show.ann, "target"),
        PerformerPart(id=show.put_in.performer.id, role="source", consents=("c-000000000001",)),
    )
    show.tell("S1", provenance=Provenance(performers=parts, footage=("bb" * 32,)).document())
    found = report()
    assert found["shots"][0]["result"]["credentials"]["state"] == "contradicted"
    assert answer(found, "results") == (
        "no",
        ["S1: composite.mkv: its Content Credentials name other consents, models or footage than are said here"],
    )


def test_without_verifying_nothing_is_claimed_of_results_but_what_is_gone(report: Report, show: Show) -> None:
    show.save(show.shot("S0"), show.shot("S1", 1))
    (show.out / "shots" / "S1" / "composite.c2pa").unlink()
    found = report("--no-verify")
    assert [s["result"]["credentials"]["state"] for s in found["shots"]] == ["unverified", "gone"]
    assert answer(found, "results") == ("no", ["S1: composite.mkv or its manifest is gone", "S0: not verified"])


def test_switched_off_content_credentials_are_said_with_the_reason(report: Report, show: Show) -> None:
    show.result("S1", credentials={"signed": False, "since": "2026-06-20T10:00:00+00:00", "reason": "tests"})
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    assert answer(report(), "results") == ("no", ["S1: no Content Credentials: switched off 2026-06-20: tests"])


def test_without_a_project_there_are_ids_and_nothing_is_claimed_of_them(
    run: Run, show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = PerformerPart(id="sample-franck", role="source", consents=(RECORD,))
    other = PerformerPart(id="p-000000000001", role="target", consents=("c-000000000001",))
    show.result("S1", provenance=Provenance(performers=(other, sample)).document())
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    (tmp_path / "elsewhere").mkdir()
    moved = show.edit.rename(tmp_path / "elsewhere" / "cut.otio")
    show.out.rename(tmp_path / "elsewhere" / "run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, out, err = run("timeline", "report", moved, "--out", tmp_path / "elsewhere" / "run", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["shots"][0]["cast"] == [{"target": "p-000000000001", "source": "franck"}]
    assert [c["holds"] for c in found["consents"].values()] == [None, None]
    assert found["covered"] == "unknown"
    assert answer(found, "consent") == (
        "unknown",
        [
            "There are no records of consent here; name the project with --project",
            "franck is sample footage: its publisher allows its use, and says nothing of what its people agreed to",
        ],
    )


def test_sample_footage_needs_no_records_and_nobody_says_that_its_people_agreed(run: Run, show: Show) -> None:
    parts = tuple(PerformerPart(id="sample-franck", role=role, consents=(RECORD,)) for role in ("target", "source"))
    show.result("S1", provenance=Provenance(performers=parts).document())
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    (show.folder / "performers").rename(show.folder / "away")
    status, out, _ = run("timeline", "report", show.edit)
    assert status == 0
    assert "used so today? cannot be told\n  franck is sample footage" in out and "no records of consent" not in out


def test_an_edit_that_was_changed_since_is_said(report: Report, show: Show) -> None:
    show.save()
    show.edit.write_text("changed")
    found = report()
    assert found["edit"]["changed"] is True
    assert answer(found, "edit") == ("no", ["The edit was changed since it was run: run it again"])


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


def test_people_read_a_table_and_the_answer(run: Run, show: Show) -> None:
    show.result("S1", "reference", credentials=None)
    show.save(done_shot("S1", (0, 0), MEDIA, (0, 9)))
    status, out, _ = run("timeline", "report", show.edit)
    assert status == 0
    assert f"Ann by {NAME}" in out and "no trained model" in out
    assert "Not everything is covered.\n" in out
    assert "May every face in it be used so today? yes\n" in out
    assert "with Content Credentials? no\n  S1: no Content Credentials\n" in out
