"""`faceplate performer` in a fresh folder, as an artist and as a lawyer use it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nodes.consent import records as clock
from tests.support.clips import cut
from tests.support.consents import apart

Run = Callable[..., tuple[int, str, str]]
SIGNED = ("--document", "release.pdf", "--use", "replace,train", "--until", "2027-12-31")


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = apart(monkeypatch, tmp_path)
    (folder / "release.pdf").write_bytes(b"%PDF signed by A. Name")
    return folder


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the clock."""
    return lambda time: monkeypatch.setattr(clock, "now", lambda: time)


def told(run: Run, *arguments: object) -> dict:
    status, out, err = run("performer", *arguments, "--json")
    assert (status, err) == (0, ""), err
    return json.loads(out)


def refused(run: Run, *arguments: object, status: int = 10) -> str:
    ended, out, err = run("performer", *arguments)
    assert (ended, out) == (status, "") and err.count("\n") == 1
    return err


def test_one_step_is_all_that_an_honest_artist_does(show: Path) -> None:
    """In a process of its own, as it is typed."""
    command = [sys.executable, "-m", "host_bridge.cli", "performer", "add", "A. Name", *SIGNED]
    done = subprocess.run(command, cwd=show, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "may be replaced, put in, trained on, from " in done.stdout and "until 2027-12-31" in done.stdout
    assert "in the production 'show'" in done.stdout and "keys" in done.stdout
    assert {p.name for p in show.iterdir()} == {"release.pdf", "performers"}
    assert not (show / "performers/documents").exists()  # no copy, unless one is asked for


def test_every_command_tells_the_same_as_json(run: Run, show: Path) -> None:
    added = told(run, "add", "A. Name", *SIGNED, "--keep", "--given-by", "Her Agent", "--from", "2026-01-01")
    assert added["schema"] == "faceplate.performer/1" and added["new_project"]
    assert added["allows"] == ["replaced", "replacement", "train"] and added["until"] == "2027-12-31"
    (consent,) = added["consents"]
    assert (consent["given_by"], consent["from"], consent["production"]) == ("Her Agent", "2026-01-01", "show")
    assert consent["document"]["name"] == "release.pdf" and consent["document"]["kept"] == f"{consent['id']}.pdf"
    listed = told(run, "list")
    assert [(p["id"], p["name"]) for p in listed["performers"]] == [(added["id"], "A. Name")]
    assert told(run, "show", "a. name")["consents"] == added["consents"]
    assert told(run, "rename", added["id"], "Anna N.")["name"] == "Anna N."
    verified = told(run, "verify", "release.pdf")
    assert verified["sound"] and verified["can_add"] and verified["documents"] == {"release.pdf": [consent["id"]]}
    revoked = told(run, "revoke", "Anna N.", "--reason", "she called")
    assert [r["id"] for r in revoked["revoked"]] == [consent["id"]]
    (consent,) = told(run, "show", added["id"])["consents"]
    assert consent["state"] == "revoked" and consent["revoked"]["reason"] == "she called"
    assert told(run, "revoke", "Anna N.")["revoked"] == []


def test_people_read_the_same_in_words(run: Run, show: Path) -> None:
    run("performer", "add", "李小龍", *SIGNED, "--production", "any")
    assert "李小龍" in run("performer", "list")[1] and "any" in run("performer", "show", "李小龍")[1]
    assert "none changed, none missing" in run("performer", "verify")[1]
    assert "李小龍 (p-" in run("performer", "revoke", "李小龍")[1]
    assert "nothing left to revoke" in run("performer", "revoke", "李小龍")[1]
    assert "nothing" in run("performer", "list")[1]


def test_who_is_the_performer_says_so_and_nothing_else(run: Run, show: Path) -> None:
    added = told(run, "add", "Me", "--self")
    assert added["allows"] == ["replaced", "replacement", "train"] and added["until"] is None
    assert added["consents"][0]["basis"] == "self" and added["consents"][0]["document"] is None


def test_a_further_consent_is_added_by_the_id(run: Run, show: Path) -> None:
    first = told(run, "add", "A. Name", *SIGNED)
    assert f"performer add {first['id']} " in refused(run, "add", "a. name", "--self", "--use", "train")
    again = told(run, "add", first["id"], "--self", "--use", "train")
    assert (again["id"], len(again["consents"]), again["new_project"]) == (first["id"], 2, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("A",),
            "nothing shows that the performer agreed. Give --self if you are the performer, else the signed release: faceplate",
        ),
        (("A", "--self", *SIGNED), "there is a --document and --self"),
        (("A", "--document", "release.pdf", "--until", "2027-12-31"), "--use: no use is given"),
        (("A", *SIGNED[:2], "--use", "clone", "--until", "2027-12-31"), "--use: there is no use 'clone'"),
        (("A", *SIGNED[:4]), "it is not said until when. Give the last day, --until 2027-12-31, or --until revoked"),
        (("A", *SIGNED[:5], "31.12.2027"), "--until 31.12.2027: is no day. Write it as 2027-12-31"),
        (("A", *SIGNED[:5], "20271231"), "--until 20271231: is no day"),
        (("A", *SIGNED, "--from", "soon"), "--from soon: is no day"),
        (("A", "--self", "--keep"), "--keep: there is no document to keep"),
        ((), "Usage"),
    ],
)
def test_what_is_missing_is_said_and_no_project_is_made(
    run: Run, show: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = run("performer", "add", *arguments)
    assert status == 2 and not out and (said in err or said == "Usage")
    assert not (show / "performers").exists()


def test_what_could_never_count_is_refused(run: Run, show: Path) -> None:
    assert "in the past" in refused(run, "add", "A", *SIGNED[:5], "2020-12-31")
    assert "none.pdf: the document cannot be read" in refused(run, "add", "A", "--document", "none.pdf", *SIGNED[2:])
    assert "is no name" in refused(run, "add", " ", *SIGNED)
    assert not (show / "performers").exists()
    for command in (("list",), ("show", "A"), ("revoke", "A"), ("verify",)):
        assert "there is no project here" in refused(run, *command)


def test_the_project_is_named_or_found(run: Run, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(run, "add", "A. Name", *SIGNED)
    (show / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(show / "deep/er")
    assert told(run, "list")["project"] == str(show)
    told(run, "add", "B", "--self")
    assert not list((show / "deep").rglob("performers"))
    monkeypatch.chdir(tmp_path)
    assert told(run, "list", "--project", "show")["project"] == str(show)
    assert "there is no project here" in refused(run, "list")
    monkeypatch.setenv("FACEPLATE_PROJECT", str(tmp_path / "new"))
    assert "is no project" in refused(run, "list")
    assert told(run, "add", "C", "--self")["project"] == str(tmp_path / "new")
    assert told(run, "list", "--project", show)["production"] == "show"


def test_the_states_of_a_consent_as_days_go_by(run: Run, show: Path, at: Callable[[datetime], None]) -> None:
    at(datetime(2026, 6, 15, 12, tzinfo=UTC))
    told(run, "add", "A", *SIGNED[:4], "--from", "2026-07-01", "--until", "2026-07-31")

    def state(day: datetime, *more: str) -> str:
        at(day)
        return told(run, "show", "A", *more)["consents"][0]["state"]

    assert state(datetime(2026, 6, 30, 23, 59, tzinfo=UTC)) == "not yet"
    assert state(datetime(2026, 7, 1, tzinfo=UTC)) == "in force"
    assert state(datetime(2026, 7, 31, 23, 59, tzinfo=UTC)) == "in force"
    assert state(datetime(2026, 7, 31, 23, 59, tzinfo=UTC), "--production", "Other") == "other production"
    assert state(datetime(2026, 8, 1, tzinfo=UTC)) == "expired"
    assert "ended on 2026-07-31" in run("performer", "list")[1]


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda f: edited(f / "000003.json"), "000003.json: was changed after it was signed"),
        (lambda f: (f / "000003.json").unlink(), "000003.json: this record is missing: it was deleted"),
        (lambda f: exchanged(f / "000003.json", f / "000005.json"), "000003.json: holds record 5: records were put"),
        (lambda f: next(f.glob("documents/*.pdf")).write_bytes(b"%PDF forged"), ".pdf: is not the document that c-"),
    ],
)
def test_tampering_is_told_by_verify_and_refused_everywhere_else(
    run: Run, show: Path, tamper: Callable[[Path], object], said: str
) -> None:
    told(run, "add", "A", *SIGNED, "--keep")
    told(run, "add", "B", "--self")
    tamper(show / "performers")
    status, out, err = run("performer", "verify")
    assert (status, err) == (10, "") and said in out
    status, out, _ = run("performer", "verify", "--json")
    assert status == 10 and not json.loads(out)["sound"] and said.split(": ", 1)[1] in out
    if "document" not in said:
        for command in (("list",), ("show", "A"), ("add", "C", "--self"), ("revoke", "A")):
            assert "the records of consent cannot be relied on" in refused(run, *command)


def edited(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("2027", "2047"), "utf-8")


def exchanged(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def test_a_document_that_changed_is_in_no_record(run: Run, show: Path) -> None:
    told(run, "add", "A", *SIGNED)
    (show / "release.pdf").write_bytes(b"%PDF signed by A. Name, with another page")
    status, out, _ = run("performer", "verify", "release.pdf")
    assert status == 10 and "release.pdf: is in no record" in out
    assert run("performer", "verify")[0] == 0  # no copy was kept: nothing to compare with


def test_on_another_machine_one_may_look_and_revoke(
    run: Run, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(run, "add", "A", *SIGNED)
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "none"))
    assert "so this user cannot add" in run("performer", "verify")[1]
    assert told(run, "list")["performers"][0]["allows"]
    assert "you have not the key of this project" in refused(run, "add", "B", "--self")
    assert told(run, "revoke", "A")["revoked"] and told(run, "verify")["sound"]


def test_clips_are_registered_when_the_performer_is_added_or_later(run: Run, show: Path, samples: Path) -> None:
    clips = [cut(samples / "franck.mp4", show / f"{n}.mp4", n, 3) for n in (0, 9)]
    assert len(told(run, "add", "A", *SIGNED, "--footage", clips[0])["footage"]) == 1
    assert len(told(run, "footage", "A", *clips)["footage"]) == 2
    told(run, "add", "B", "--self")
    told(run, "footage", "B", clips[1])
    assert [len(told(run, "show", who)["footage"]) for who in "AB"] == [1, 1]
    assert len(told(run, "add", "C", "--self", "--footage", *clips)["footage"]) == 2
    assert len(told(run, "add", "D", "--footage", clips[0], "--footage", clips[1], "--self")["footage"]) == 2
    assert "no CLIP" in refused(run, "footage", "A", status=2)
    assert "none.mov" in refused(run, "footage", "A", "none.mov", status=3)
