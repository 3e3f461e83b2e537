"""Consent under attack: whoever cheats, and whatever goes wrong while records are written."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from consents import NOON, apart, consent

from nodes.consent.check import require
from nodes.consent.edit import revoke
from nodes.consent.verify import verify
from nodes.errors import ConsentError

DAY = timedelta(days=1)


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which Anna agreed."""
    show = apart(monkeypatch, tmp_path)
    consent(show, "Anna")
    return show


@pytest.mark.parametrize("trusted", [False, True])
def test_a_copy_made_before_a_revocation_does_not_undo_it_on_this_machine(show: Path, trusted: bool) -> None:
    copy = show.parent / "copy"
    shutil.copytree(show, copy)
    revoke(show, "Anna", now=NOON)
    if trusted:
        assert verify(copy, trust=verify(copy, now=NOON).key, now=NOON).faults == ()
    with pytest.raises(ConsentError, match=r"revoked on 2026-06-15 \(in another copy of this project\)"):
        require("train", "Anna", copy, now=NOON)
    assert len(revoke(copy, "Anna", now=NOON)[1]) == 1  # for those who have the copy alone
    consent(copy, "Anna", "train")
    require("train", "Anna", copy, now=NOON)


def test_a_project_that_was_moved_does_not_forget_the_day(show: Path) -> None:
    require("train", "Anna", show, now=NOON + 30 * DAY)
    moved = show.rename(show.parent / "moved")
    with pytest.raises(ConsentError, match="in use on 2026-07-15: the clock was moved back"):
        require("train", "Anna", moved, now=NOON + 10 * DAY)


def test_copies_of_a_project_may_go_on_apart(show: Path) -> None:
    copy = show.parent / "copy"
    shutil.copytree(show, copy)
    consent(show, "Ben")
    consent(copy, "Carl")
    require("train", "Ben", show, now=NOON)
    require("train", "Carl", copy, now=NOON)


def test_trusting_a_key_helps_where_another_place_is_remembered_with_another(show: Path) -> None:
    from consents import forge

    copy = show.parent / "copy"
    shutil.copytree(show, copy)
    forge(copy, lambda record: None)
    found = verify(copy, now=NOON)
    assert "made anew by somebody else" in found.faults[0].what
    assert verify(copy, trust=found.key, now=NOON).faults == ()
