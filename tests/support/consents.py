"""Consents for tests: a project of one's own, with keys of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from nodes.consent.edit import Added, Terms, add
from nodes.consent.keys import make_key, public
from nodes.consent.record import USES, Use, canonical

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
ANYBODY: Mapping[str, tuple[Use, ...]] = {"Tester": USES}


def apart(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """No project but those below `folder`, and no keys but those made there; the folder we are in is a new one of it."""
    patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
    patch.delenv("FACEPLATE_PROJECT", raising=False)
    (folder / "show").mkdir(parents=True)
    patch.chdir(folder / "show")
    return folder / "show"


def agreed(folder: Path, uses: Mapping[str, tuple[Use, ...]]) -> Path:
    """A project in which these performers agreed to these uses."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, allowed in uses.items():
        add(folder, name, Terms(allowed))
    return folder


@contextmanager
def in_project(folder: Path, uses: Mapping[str, tuple[Use, ...]] = ANYBODY) -> Iterator[Path]:
    """What is made meanwhile belongs to a new project below `folder`, whose performers agreed to these uses.

    By default there is one performer, whose face all clips are taken to show where nobody says otherwise.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
        project = agreed(folder / "project", uses)
        patch.setenv("FACEPLATE_PROJECT", str(project))
        yield project


def consent(
    project: Path,
    name: str = "Anna",
    *uses: Use,
    from_: date | None = None,
    until: date | None = date(2027, 12, 31),
    production: str | None = None,
    now: datetime = NOON,
    another: bool = False,
    keep: bool = False,
    footage: tuple[tuple[str, str], ...] = (),
) -> Added:
    """Record a consent with a document."""
    paper = project.parent / "release.pdf"
    paper.write_bytes(b"%PDF signed")
    terms = Terms(uses or USES, from_, until, production, paper, keep)
    return add(project, name, terms, footage, another=another, now=now)


def forge(show: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Make all records anew with a new key, the third of them changed, so that they hold in themselves."""
    key, previous = make_key("forged"), ""
    records = sorted((show / "performers").glob("0*.json"))
    for number, record in enumerate(records, 1):
        document = json.loads(record.read_text("utf-8"))
        if number == 1:
            document["record"]["key"] = public(key)
        if number == 3:
            change(document)
        document.pop("signature")
        document |= {"key": public(key), "previous": previous}
        document["signature"] = key.sign(canonical(document)).hex()
        previous = hashlib.sha256(canonical(document)).hexdigest()
        record.write_text(json.dumps(document), "utf-8")
    head = {"schema": "faceplate.consent-head/1", "count": len(records), "hash": previous}
    (show / "performers/head.json").write_text(json.dumps({**head, "signature": key.sign(canonical(head)).hex()}))


@pytest.fixture(scope="module", autouse=True)
def source_and_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For the files that import it: a project whose performers are called as those of tiny facesets, and may be trained on."""
    with in_project(tmp_path_factory.mktemp("consents"), {"source": ("train",), "target": ("train",)}):
        yield
