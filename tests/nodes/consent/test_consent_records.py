"""The records of consent: whoever changes, deletes, exchanges or pre-dates one is found out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from nodes.consent.book import verify
from nodes.consent.edit import key_of_project, open_project, rename, revoke
from nodes.consent.keys import keys_folder, load_key, make_key, public
from nodes.consent.records import canonical, read_chain
from nodes.errors import ConsentError, SchemaError
from tests.support.consents import NOON, apart, consent, require


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with seven records: itself, two performers with a consent each, a name, a second consent."""
    folder = apart(monkeypatch, tmp_path)
    consent(folder, "Anna", now=NOON)
    consent(folder, "Ben", "replaced", now=NOON + timedelta(days=1))
    rename(folder, "Ben", "Ben B.", now=NOON + timedelta(days=2))
    consent(folder, "Anna", "train", until=date(2030, 1, 1), now=NOON + timedelta(days=3))
    assert verify(folder).faults == ()
    return folder


LATER = NOON + timedelta(days=10)


def record(show: Path, number: int) -> Path:
    return show / "performers" / f"{number:06d}.json"


def edit(path: Path, change: Callable[[dict], None]) -> None:
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")


def until(day: str) -> Callable[[dict], None]:
    return lambda document: document["record"].update(until=day)


def swap_files(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def renumber(show: Path, number: int) -> None:
    """Delete a record and move those behind it up."""
    record(show, number).unlink()
    while record(show, number + 1).exists():
        edit(record(show, number + 1), lambda document: document.update(number=document["number"] - 1))
        record(show, number + 1).rename(record(show, number))
        number += 1


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        pytest.param(lambda s: edit(record(s, 3), until("2040-01-01")), "000003.json: was changed after", id="edited"),
        pytest.param(lambda s: edit(record(s, 7), until("2040-01-01")), "000007.json: was changed", id="last-edited"),
        pytest.param(
            lambda s: edit(record(s, 1), lambda d: d["record"].update(production="Other")),
            "000001.json: was changed",
            id="production-edited",
        ),
        pytest.param(
            lambda s: edit(record(s, 3), lambda d: d.update(remark="hi")),
            "000003.json: this record is damaged",
            id="more",
        ),
        pytest.param(lambda s: record(s, 4).unlink(), "000004.json: this record is missing", id="deleted"),
        pytest.param(lambda s: record(s, 1).unlink(), "000001.json: the first record is missing", id="first-deleted"),
        pytest.param(lambda s: renumber(s, 4), "000004.json: does not follow record 3", id="deleted-and-renumbered"),
        pytest.param(
            lambda s: swap_files(record(s, 3), record(s, 5)), "holds record 5: .* another order", id="exchanged"
        ),
        pytest.param(lambda s: record(s, 3).write_bytes(b""), "000003.json: this record is damaged", id="emptied"),
        pytest.param(
            lambda s: record(s, 3).write_text("[" * 100_000), "000003.json: this record is damaged", id="deep"
        ),
        pytest.param(lambda s: record(s, 3).write_bytes(b" " * (2 << 20)), "000003.json: .* damaged", id="large"),
        pytest.param(
            lambda s: edit(record(s, 5), lambda d: d.update(time="2020-01-01T00:00:00+00:00")),
            "000005.json: was changed after it was signed",
            id="time-edited",
        ),
        pytest.param(
            lambda s: shutil.rmtree(s / "performers") or (s / "performers").mkdir() or record(s, 2).write_text("{}"),
            "the first record is missing",
            id="all-but-rubbish-gone",
        ),
    ],
)
def test_whatever_is_done_to_the_records_shows_and_nobody_may_be_used_by_them(
    show: Path, tamper: Callable[[Path], object], said: str
) -> None:
    require("replaced", "Anna", show, now=LATER)
    tamper(show)
    faults = [f"{fault.file.name}: {fault.what}" for fault in verify(show).faults]
    assert any(re.search(said, fault) for fault in faults), faults
    with pytest.raises(ConsentError, match="cannot be relied on"):
        require("replaced", "Anna", show, now=LATER)
    with pytest.raises(ConsentError, match="cannot be relied on"):
        consent(show, "Carl", now=LATER)


def test_a_signature_by_another_key_counts_for_nothing_but_a_revocation(show: Path, tmp_path: Path) -> None:
    other = make_key("other")
    document = json.loads(record(show, 7).read_text("utf-8")) | {"key": public(other)}
    document.pop("signature")
    record(show, 7).write_text(json.dumps({**document, "signature": other.sign(canonical(document)).hex()}))
    assert "another key than the project's" in verify(show).faults[0].what


def test_records_keep_their_worth_when_their_files_are_laid_out_anew(show: Path) -> None:
    """As git does with line ends, and editors with indentation."""
    for path in (show / "performers").glob("*.json"):
        text = json.dumps(json.loads(path.read_text("utf-8")), indent=4, ensure_ascii=True)
        path.write_bytes(text.replace("\n", "\r\n").encode())
    assert verify(show).faults == ()


def test_records_of_a_newer_faceplate_are_not_judged(show: Path) -> None:
    edit(record(show, 7), lambda d: d.update(schema="faceplate.consent/2"))
    with pytest.raises(SchemaError, match=r"000007.json: was written by a newer Faceplate"):
        require("replaced", "Anna", show, now=LATER)


def test_a_document_that_was_kept_and_changed_or_deleted_shows(show: Path) -> None:
    added = consent(show, "Carl", keep=True, now=LATER)
    kept = show / "performers/documents" / f"{added.consent.id}.pdf"
    assert kept.read_bytes() == b"%PDF signed" and "Carl" not in kept.name
    kept.write_bytes(b"%PDF forged")
    assert f"is not the document that {added.consent.id} was recorded with" in verify(show).faults[0].what
    kept.unlink()
    assert f"the document of {added.consent.id} is missing" in verify(show).faults[0].what


def test_names_do_not_come_into_file_names(show: Path) -> None:
    names = [p.name for p in show.rglob("*")] + [p.name for p in keys_folder().rglob("*")]
    assert names and not [n for n in names if "Anna" in n or "Ben" in n or "show" in n]


def test_only_the_user_can_read_the_private_key_and_it_is_outside_of_the_project(show: Path) -> None:
    opened = read_chain(show).opened
    assert opened is not None
    (key,) = keys_folder().glob("*.key")
    assert key.stem == opened.id and key.stat().st_mode & 0o777 == 0o600 and not key.is_relative_to(show)
    assert keys_folder().stat().st_mode & 0o777 == 0o700
    key.chmod(0o640)
    with pytest.raises(ConsentError, match=r"others than you may read or write this private key.*chmod 600"):
        load_key(opened.id)


def test_where_the_key_is_not_one_can_check_and_verify_and_revoke_but_not_add(
    show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.environ["FACEPLATE_KEYS"]
    there = tmp_path / "other machine"
    shutil.copytree(show, there / "show")
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "other keys"))
    moved = there / "show"
    found = verify(moved)
    assert found.faults == () and key_of_project(found.opened) is None
    require("replaced", "Anna", moved, now=LATER)
    with pytest.raises(
        ConsentError, match=r"have not the key of this project.*project-[0-9a-f]+\.key, to .*other keys"
    ):
        consent(moved, "Carl", now=LATER)
    with pytest.raises(ConsentError, match="have not the key"):
        rename(moved, "Anna", "A.", now=LATER)
    revoke(moved, "Anna", "she called", now=LATER)
    assert verify(moved).faults == ()
    with pytest.raises(ConsentError, match=r"was revoked on 2026-06-25 \(she called\)"):
        require("replaced", "Anna", moved, now=LATER)
    # Back where the key is, the revocation stays and is counted with the next record.
    monkeypatch.setenv("FACEPLATE_KEYS", mine)
    consent(moved, "Carl", now=LATER)
    assert verify(moved).faults == () and key_of_project(verify(moved).opened)
    record(moved, 8).unlink()
    assert verify(moved).faults


def test_the_key_may_be_brought_to_another_machine(show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (key,) = keys_folder().glob("*.key")
    (tmp_path / "brought").mkdir(mode=0o700)
    shutil.copy(key, tmp_path / "brought")
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "brought"))
    consent(show, "Carl", now=LATER)
    require("train", "Carl", show, now=LATER)


def test_many_who_add_at_once_all_get_their_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very first ones too, of whom one makes the project."""
    folder = apart(monkeypatch, tmp_path)
    code = (
        "import sys, pathlib; from nodes.consent.edit import add, Terms\n"
        "for k in range(3): add(pathlib.Path('.'), f'{sys.argv[1]} {k}', Terms(('train',)))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, f"N{i}"], cwd=folder) for i in range(5)]
    assert [process.wait() for process in started] == [0] * 5
    found = verify(folder)
    assert found.faults == () and len(found.records) == 1 + 2 * 15
    assert len(list(keys_folder().glob("*.key"))) == 1


def test_a_check_among_a_hundred_records_takes_milliseconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = apart(monkeypatch, tmp_path)
    for k in range(50):
        consent(folder, f"N{k}")
    times = []
    for _ in range(5):
        began = time.process_time()
        require("train", "N7", folder, now=LATER)
        times.append(time.process_time() - began)
    assert min(times) < 0.1


def test_a_folder_is_a_project_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = apart(monkeypatch, tmp_path)
    open_project(folder, "One")
    open_project(folder, "Two")
    opened = read_chain(folder).opened
    assert opened is not None and opened.production == "One"
