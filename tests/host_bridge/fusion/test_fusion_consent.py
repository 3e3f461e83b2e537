"""The Swap Fuse shows whose faces it would use, and asks before each job: refused, allowed, taken back; on the node, with the remedy."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host_bridge.client import connect
from host_bridge.fusion.build import build
from host_bridge.jobs import parse
from host_bridge.watch.hot_folder import HotFolder
from nodes.consent import records as clock
from nodes.consent.edit import Terms, add, revoke
from nodes.consent.records import USES
from tests.host_bridge.fusion.test_fuse_buttons import posted, stands_in
from tests.support.fusion_host.fuse import Fuse
from tests.support.fusion_host.pictures import from_rgb
from tests.support.fusion_host.stage import COUNT, FIRST, Stage, prepared
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
ABOUT = {"first": FIRST, "last": FIRST + COUNT - 1, "time": FIRST + 1}
ADD = "Record a consent that allows it: faceplate performer add"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Stage]:
    """An engine whose keys, and so its memory of projects, are the tests' too; no project but those that they make."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("fusion-consent")
        patch.setenv("TMPDIR", str(folder / "tmp"))
        patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
        patch.delenv("FACEPLATE_PROJECT")
        with prepared(folder, samples) as made:
            made.watched.mkdir()
            yield made


@pytest.fixture(scope="module")
def watcher(stage: Stage) -> Iterator[HotFolder]:
    made = HotFolder(stage.watched, connect, settle=0, prefs=[stage.work / "Fusion.prefs"])
    yield made
    made.close()


class Show:
    """A project, and a Swap node whose results belong to it; watcher: the free edition's way to the engine, else the direct one."""

    def __init__(self, stage: Stage, watcher: HotFolder | None) -> None:
        self.stage, self.watcher = stage, watcher
        self.folder = stage.work / str(len(list(stage.work.iterdir())))
        self.folder.mkdir()
        self.fuse = stage.fuse("Swap", "full" if watcher is None else "sandbox", self.folder / "out")
        self.fuse.set(PlateClip=stage.plates, SourceClip=stage.source)
        if watcher:
            watcher.step()
            self.fuse.work.prefs = stage.work / "Fusion.prefs"
            self.fuse.work.wait = lambda seconds: watcher.step()  # type: ignore[method-assign]

    def press(self, button: str) -> str:
        if self.watcher:
            self.watcher.step()  # it shows every few seconds that it is there
        self.fuse.press(button, **ABOUT)
        return self.note

    @property
    def note(self) -> str:
        return str(self.fuse.value("Note"))

    @property
    def state(self) -> str:
        return str(self.fuse.value("ConsentState"))

    def kinds(self) -> set[str]:
        """The kinds of the jobs that there are, once the watcher has told of all."""
        client = self.stage.live.client

        def told() -> bool:
            if self.watcher:
                self.watcher.step()
            return not self.watcher or not (self.watcher.busy or self.watcher.waiting)

        wait_for(told, 60)
        return {job["kind"] for job in client.list()["jobs"]}

    def ended(self, said: str) -> None:
        """Wait until Reload tells this of what was asked for last."""

        def told() -> bool:
            if self.watcher:
                self.watcher.step()
            return said in self.press("Reload")

        wait_for(told, 60)

    def made(self) -> list[str]:
        """What is in the folder beside the records."""
        return sorted(p.name for p in self.folder.rglob("*") if p.is_file() and "performers" not in p.parts)


@pytest.fixture
def show(stage: Stage, watcher: HotFolder) -> Show:
    return Show(stage, watcher)


def ended(folder: Path) -> None:
    long_ago = clock.now() - 30 * DAY
    add(folder, "Anna", Terms(USES, until=(long_ago + DAY).date()), now=long_ago)


def taken_back(folder: Path) -> None:
    add(folder, "Anna", Terms(USES))
    revoke(folder, "Anna")


def edited(folder: Path) -> None:
    add(folder, "Anna", Terms(USES, until=(clock.now() + DAY).date()))
    record = folder / "performers/000003.json"
    told = json.loads(record.read_bytes())
    told["record"]["until"] = "2099-01-01"
    record.write_text(json.dumps(told), "utf-8")


def deleted(folder: Path) -> None:
    taken_back(folder)
    (folder / "performers/000003.json").unlink()


def for_another_use(folder: Path) -> None:
    add(folder, "Anna", Terms(("replaced",)))


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        pytest.param(lambda folder: None, r"nobody may be replaced here: no consent is recorded. .* --self", id="none"),
        pytest.param(ended, rf"Anna \(p-\w+\) may not be replaced: c-\w+ ended on \S+\. {ADD}", id="expired"),
        pytest.param(taken_back, rf"Anna .* may not be replaced: c-\w+ was revoked on \S+\. {ADD}", id="revoked"),
        pytest.param(for_another_use, rf"Anna .* may not be put in: c-\w+ allows replaced alone\. {ADD}", id="use"),
        pytest.param(edited, r"000003.json: the records of consent cannot be relied on: was .* Restore ", id="edited"),
        pytest.param(
            deleted,
            r"000003.json: the records of consent cannot be relied on: .*deleted.* Restore ",
            id="consent deleted",
        ),
    ],
)
def test_without_consent_the_node_says_which_record_is_missing_and_makes_nothing(
    show: Show, prepare: Callable[[Path], object], said: str
) -> None:
    prepare(show.folder)
    show.press("Consent")
    assert re.search(said, show.state) and re.search(said, show.note)
    for button, kind in (("Preview", "preview"), ("Render", "swap")):
        show.fuse.set(ConsentState="")
        assert re.search(said, show.press(button)) and re.search(said, show.state), show.note
        assert kind not in show.kinds(), "it never became a job, and so cannot run later"
        assert re.search(said, show.press("Reload")), show.note
    assert show.made() == []


def test_directly_too_it_is_refused_then_allowed_and_refused_again_once_it_is_taken_back(stage: Stage) -> None:
    show = Show(stage, None)
    for button in ("Preview", "Train"):
        assert "no consent is recorded. If it is yourself" in show.press(button)
    assert show.made() == []
    record = add(show.folder, "Anna", Terms(USES, until=(clock.now() + DAY).date())).consent
    assert "Handed to Faceplate's engine" in show.press("Preview")
    assert show.state == (
        f"Anna may be replaced until {record.until} ({record.id}); Anna may be put in until {record.until} ({record.id})"
    )
    show.ended("The preview is there.")
    assert show.fuse.process(from_rgb(stage.plate(FIRST + 1), 8), FIRST + 1)[0].pixels.any()
    before = show.made()
    revoke(show.folder, "Anna")
    assert " was revoked on " in show.press("Render") and ADD in show.note and " was revoked on " in show.state
    assert show.made() == before
    left = list(Path(os.environ["TMPDIR"]).glob("faceplate-*"))  # answers and logs name people: for this user alone
    assert left and all(file.stat().st_mode & 0o077 == 0 and file.suffix != ".json" for file in left), left
    assert len([file for file in left if file.name.endswith("-performers.answer.lua")]) == 1


def test_whose_face_it_is_can_be_said_on_the_node_where_several_could_be_meant(show: Show) -> None:
    anna, ben = (add(show.folder, name, Terms(USES)) for name in ("Anna", "Ben"))
    assert "plate.%04d.png: whose face this is is not known; it may be that of Anna" in show.press("Consent")
    assert "--target-performer NAME" in show.note
    show.fuse.set(TargetPerformer="ben", SourcePerformer=anna.performer.id)
    said = f"Ben may be replaced ({ben.consent.id}); Anna may be put in ({anna.consent.id})"
    assert show.press("Consent") == show.state == said
    show.fuse.set(SourcePerformer="Carl")
    assert "there is no performer 'Carl' in this project. Record the consent: faceplate performer add Carl" in (
        show.press("Consent")
    )


def test_a_training_is_of_the_performers_that_are_named_else_called_after_their_footage(tmp_path: Path) -> None:
    noted = tmp_path / "noted.json"
    stands_in(tmp_path / "python", f'mv "$6" "{noted}"')
    build(tmp_path, python=str(tmp_path / "python"))

    def facesets(**values: str) -> list[tuple[str, str | None]]:
        fuse = Fuse(tmp_path / "Fuses" / "FaceplateSwap.fuse")
        fuse.set(Results="/shots/one", PlateClip="/a/take1.mov", SourceClip="/b/take1.mov", Project="/show", **values)
        fuse.press("Train")
        wait_for(noted.exists)
        asked, *jobs = json.loads(noted.read_bytes())["jobs"]
        noted.unlink()
        assert parse("performers", asked["request"]).swap.target_performer == values.get("TargetPerformer")  # type: ignore[attr-defined]
        assert all(job["request"]["consent"] == {"project": "/show"} for job in jobs)
        requests: list[Any] = [parse(job["kind"], job["request"]) for job in jobs[:2]]
        return [(request.performer, request.named) for request in requests]

    assert facesets() == [("take1 (source)", None), ("take1 (target)", None)]
    assert facesets(TargetPerformer="Ben", SourcePerformer="Anna") == [("Anna", "Anna"), ("Ben", "Ben")]


def test_where_nobody_looks_after_the_folder_the_post_is_left_and_nothing_is_waited_for(
    stage: Stage, tmp_path: Path
) -> None:
    build(tmp_path, watched=str(tmp_path / "nobody"))
    fuse = Fuse(tmp_path / "Fuses" / "FaceplateSwap.fuse", "sandbox")
    fuse.set(Results=tmp_path / "out", PlateClip=stage.plates, SourceClip=stage.source)
    asked = posted(fuse.press("Consent"))["jobs"]
    assert [job["kind"] for job in asked] == ["performers"]
    assert "waits in Fusion's preferences" in fuse.value("Note") and fuse.value("ConsentState") == ""
    assert "faceplate performer list" in fuse.value("Note")
    assert posted(fuse.press("Verify"))["jobs"][0]["request"] == {"path": str(tmp_path / "out")}
    assert f'faceplate credentials verify "{tmp_path / "out"}"' in fuse.value("Note")
    assert fuse.press("Reload") == {}
