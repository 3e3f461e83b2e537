"""Consent under attack: whoever cheats, and whatever goes wrong while records are written."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.cli.app import run as run_cli
from nodes.consent.book import open_book, verify
from nodes.consent.edit import Terms, add, register, revoke
from nodes.consent.gate import Clip, Face
from nodes.consent.keys import load_key
from nodes.consent.records import USES, canonical
from nodes.errors import ConsentError, SchemaError
from nodes.text import command_line
from tests.support.consents import NOON, agreed, apart, consent, granted, require
from tests.support.waiting import wait_for

DAY = timedelta(days=1)


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which Anna agreed."""
    show = apart(monkeypatch, tmp_path)
    consent(show, "Anna")
    return show


def test_copies_of_a_project_may_go_on_apart(show: Path) -> None:
    copy = show.parent / "copy"
    shutil.copytree(show, copy)
    consent(show, "Ben")
    consent(copy, "Carl")
    require("train", "Ben", show, now=NOON)
    require("train", "Carl", copy, now=NOON)


def record_of(show: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A record after the last, signed and counted as it should be, by whoever has the key."""
    folder = show / "performers"
    last = json.loads(max(folder.glob("0*.json")).read_bytes())
    key = load_key(json.loads((folder / "000001.json").read_bytes())["record"]["id"])
    assert key is not None
    record: dict[str, Any] = {**last, "number": last["number"] + 1, "previous": sha256(canonical(last)).hexdigest()}
    del record["signature"]
    change(record)
    record["signature"] = key.sign(canonical(record)).hex()
    (folder / f"{record['number']:06d}.json").write_text(json.dumps(record), "utf-8")


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\nb", "\u202eanna", "\u2066", "\x9b31m", "\x00", "\ufeff"], ids=lambda text: ascii(text)
)
def test_what_would_steer_a_terminal_is_no_record_even_if_it_is_signed(show: Path, text: str) -> None:
    record_of(show, lambda record: record.update(record={"kind": "performer", "performer": "p-1", "name": text}))
    with pytest.raises(ConsentError, match="this record is damaged"):
        require("train", "Anna", show, now=NOON)


def test_a_sound_record_by_whoever_has_the_key_is_one(show: Path) -> None:
    record_of(show, lambda record: record.update(record={"kind": "performer", "performer": "p-1", "name": "Zoë"}))
    assert [p.name for p in open_book(show).performers.values()] == ["Anna", "Zoë"]


def test_a_record_of_a_kind_that_is_not_known_counts_for_nothing_and_says_so(show: Path) -> None:
    record_of(show, lambda record: record.update(record={"kind": "credentials", "signed": False, "reason": "a test"}))
    with pytest.raises(ConsentError, match="this record is damaged"):
        require("train", "Anna", show, now=NOON)


def test_file_names_and_reasons_are_recorded_as_they_can_be_printed(show: Path) -> None:
    paper = show / "re\x1b[2Jlease\u202e.pdf"
    paper.write_bytes(b"signed")
    document = add(show, "Ben", Terms(USES, paper=paper), (("ab" * 32, "clip\n.mp4"),), now=NOON).consent.document
    assert document and document.name == "re�[2Jlease�.pdf"
    book, _ = revoke(show, "Ben", "why\x1b \n not", now=NOON)
    assert [taken.reason for taken in book.revoked.values()] == ["why� not"]


def test_a_name_with_signs_that_nobody_sees_is_no_other_name(show: Path) -> None:
    assert consent(show, "An\u200cna").performer.name == "Anna"


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def rewritten(old: str, new: str) -> Callable[[Path], None]:
    return lambda file: file.write_text(re.sub(old, new, file.read_text("utf-8"), count=1), "utf-8") and None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize(
    "damage",
    [
        pipe,
        endless,
        lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: file.write_bytes(b" " * (2 << 20)),
        lambda file: file.rename(file.with_name("999999999999999999.json")),
        rewritten('"number": 2', '"number": 1e400'),
        rewritten('"number": 2', '"number": 2.0'),
        rewritten('"number": 2', '"number": ' + "9" * 5000),
        rewritten('"previous": "', r'"previous": "\\ud800'),
        rewritten('"signature": "', r'"signature": "\\ud800'),
        rewritten(r'\+00:00"', '-23:59"'),
    ],
)
def test_a_record_that_is_a_trap_is_a_damaged_one(show: Path, damage: Callable[[Path], object]) -> None:
    damage(show / "performers/000002.json")
    assert verify(show).faults
    with pytest.raises(ConsentError, match="cannot be relied on"):
        require("train", "Anna", show, now=NOON)


_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers()),
    st.sampled_from(
        ["\ud800", "9999-12-31T23:59:59-23:59", "faceplate.consent/２", "faceplate.consent/9" * 9, 10**400]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_stands_in_a_record_it_counts_as_it_was_written_or_not_at_all(show: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted((show / "performers").glob("*.json"))))
    before = file.read_bytes()
    document = json.loads(before)
    place = data.draw(st.sampled_from([document, *(v for v in document.values() if isinstance(v, dict))]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(_ODD)
    file.write_text(json.dumps(document), "utf-8")
    try:
        if json.dumps(document) == json.dumps(json.loads(before)):
            require("train", "Anna", show, now=NOON)
        else:
            with pytest.raises((ConsentError, SchemaError)):
                require("train", "Anna", show, now=NOON)
    finally:
        file.write_bytes(before)


def test_a_process_killed_when_it_had_made_the_project_leaves_one_that_one_can_add_to(show: Path) -> None:
    for file in ("000003.json", "000002.json"):
        (show / "performers" / file).unlink()
    with pytest.raises(ConsentError, match="there is no performer 'Anna'"):
        require("train", "Anna", show, now=NOON)
    consent(show, "Anna")
    require("train", "Anna", show, now=NOON)
    assert verify(show).faults == ()


def test_processes_killed_while_they_add_leave_records_that_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = apart(monkeypatch, tmp_path)
    endless = (
        "import itertools, sys; from pathlib import Path; from nodes.consent.edit import Terms, add;"
        "print(flush=True); [add(Path(sys.argv[1]), f'{sys.argv[2]} {n}', Terms(('train',))) for n in itertools.count()]"
    )
    count = 0
    for round in range(4):
        run = [sys.executable, "-c", endless, str(show)]
        working = [subprocess.Popen([*run, f"{round}.{i}"], stdout=subprocess.PIPE) for i in range(2)]
        for process in working:
            assert process.stdout and process.stdout.readline()
        wait_for(lambda: len(list((show / "performers").glob("0*.json"))) >= count + 7, 20, every=0.001)  # noqa: B023
        for process in working:
            process.kill()
            process.wait()
        found = verify(show)
        assert found.faults == () and len(found.records) >= count + 7
        count = len(found.records)


def test_footage_of_one_who_revoked_is_not_taken_for_that_of_the_next_who_agrees(show: Path) -> None:
    face = Face("replaced", "target", "--target-performer", None, Clip(show / "plate.mov", "ab"))
    assert granted(face, show, now=NOON).name == "Anna"
    revoke(show, "Anna", now=NOON)
    ben = consent(show, "Ben").performer
    with pytest.raises(ConsentError, match=r"whose face this is is not known; it may be that of Anna .*, Ben "):
        granted(face, show, now=NOON)
    register(show, "Ben", [("ab", "plate.mov")], now=NOON)
    assert granted(face, show, now=NOON).performer == ben.id


@pytest.mark.parametrize("name", ["A. Name", 'Anna "Ö" O\'Neil', "p$HOME `x` & co", "名前"])
def test_the_remedy_can_be_pasted_and_then_the_same_is_allowed(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "keys"))
    show = tmp_path / "Größe \"2\" of O'Neil's"
    agreed(show, {"Somebody else": ("replaced",)})
    with pytest.raises(ConsentError) as refusal:
        require("train", name, show)
    words = shlex.split(str(refusal.value.remedy).partition(": ")[2])
    assert words[0] == "faceplate" and words[-1] == "YYYY-MM-DD"
    paper = str(tmp_path / "RELEASE.pdf")
    Path(paper).write_bytes(b"signed")
    assert run_cli([paper if word == "RELEASE.pdf" else word for word in words[1:-1]] + ["2999-12-31"]) == 0
    require("train", name, show)


def test_a_command_is_quoted_as_windows_has_it() -> None:
    said = command_line("faceplate", "add", "A. Name", "O'Neil", 'the "B"', r"C:\My shows\Größe", "a&b", windows=True)
    assert said == r'''faceplate add "A. Name" "O'Neil" "the \"B\"" "C:\My shows\Größe" "a&b"'''
