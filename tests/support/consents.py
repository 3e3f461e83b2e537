"""Consents for tests: a project of one's own, with keys of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nodes.consent.book import open_book
from nodes.consent.edit import Added, Terms, add
from nodes.consent.gate import (
    Clip,
    ConsentRequest,
    Earlier,
    Face,
    Grant,
    grant,
    of_faceset,
    of_swap,
    of_training,
    permit,
)
from nodes.consent.keys import make_key, public
from nodes.consent.provenance import METADATA_KEY, Provenance
from nodes.consent.records import USES, Use, canonical, is_project
from nodes.definitions import SwapParameters

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
    keep: bool = False,
    footage: tuple[tuple[str, str], ...] = (),
) -> Added:
    """Record a consent with a document; a further one of a performer who has this name."""
    paper = project.parent / "release.pdf"
    paper.write_bytes(b"%PDF signed")
    terms = Terms(uses or USES, from_, until, production, paper, keep)
    return add_consent(project, name, terms, footage, now)


def add_consent(
    project: Path,
    name: str,
    terms: Terms,
    footage: Sequence[tuple[str, str]] = (),
    now: datetime | None = None,
) -> Added:
    """Record a consent, of a new performer or of the one who has this name."""
    known = open_book(project, at=now).named(name) if is_project(project) else None
    return add(project, known.id if known else name, terms, footage, now=now)


def require(
    use: Use, performer: str, project: Path | None, production: str | None = None, now: datetime | None = None
) -> Grant:
    """See that a performer may be used so."""
    return grant(open_book(project, production, now) if project else None, performer, use)


def granted(face: Face, project: Path | None, now: datetime | None = None) -> Grant:
    """Whose face it is, who may be used so."""
    return face.grant(open_book(project, at=now) if project else None)


def for_faceset(
    label: str,
    clips: Sequence[Clip],
    request: ConsentRequest,
    out: Path,
    performer: str | None = None,
    now: datetime | None = None,
) -> Provenance:
    """The provenance of a faceset."""
    return permit(of_faceset(label, clips, performer), request, out, now=now)


def for_training(
    sets: Sequence[tuple[str, Provenance | None]], request: ConsentRequest, out: Path, now: datetime | None = None
) -> Provenance:
    """The provenance of a model."""
    return permit(of_training(sets), request, out, now=now)


def for_swap(
    plate: Clip,
    source: Clip | None,
    model: Clip | None,
    cast: SwapParameters,
    out: Path | None,
    now: datetime | None = None,
) -> Provenance:
    """The provenance of a shot."""
    return permit(of_swap(plate, source, model, cast), cast, out, now=now)


def still_given(
    made: Provenance, request: ConsentRequest, place: Path, file: Path | None = None, now: datetime | None = None
) -> Provenance:
    """The provenance of a shot that is used again."""
    return permit([Earlier(made, file, again=True)], request, place, now=now)


def onnx_file(path: Path, provenance: Provenance | None, weights: int = 1000, text: str = "") -> Path:
    """A model file that says whom it was trained on; or says `text`."""
    text = provenance.model_dump_json() if provenance else text
    big = onnx.numpy_helper.from_array(np.zeros(weights, "f4"), "w")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["w"], ["y"])],
        "g",
        [],
        [onnx.helper.make_tensor_value_info("y", 1, [weights])],
        [big],
    )
    made = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(made, {"faceplate.size": "128", **({METADATA_KEY: text} if text else {})})
    onnx.save(made, path)
    return path


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


@pytest.fixture(scope="module", autouse=True)
def source_and_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For the files that import it: a project whose performers are called as those of tiny facesets, and may be trained on."""
    with in_project(tmp_path_factory.mktemp("consents"), {"source": ("train",), "target": ("train",)}):
        yield
