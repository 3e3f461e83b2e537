"""A real engine asks for consent at each job: what it says when it is not there, and that no earlier answer stands in for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from host_bridge.engine.keys import content_key
from host_bridge.jobs.swap import SwapRequest
from nodes.consent import records as clock
from nodes.consent.edit import Terms, add, open_project, revoke
from nodes.consent.records import USES
from tests.support.clips import plate_and_source
from tests.support.consents import apart
from tests.support.live_engine import Live, engine_without_project

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def clips(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return plate_and_source(samples, tmp_path_factory.mktemp("clips"), 3, 8)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with engine_without_project(tmp_path_factory.mktemp("consent-engine")) as engine:
        yield engine


class Show:
    """A folder with the clips, and the jobs that somebody asks for in it."""

    def __init__(self, live: Live, folder: Path, clips: dict[str, Path]) -> None:
        self.live, self.folder = live, folder
        folder.mkdir()
        for clip in clips.values():
            os.link(clip, folder / clip.name)
        pair = {name: str(folder / clip.name) for name, clip in clips.items()}
        self.requests: dict[str, dict[str, Any]] = {
            "swap": {**pair, "out": str(folder / "out")},
            "preview": {**pair, "frame": 1, "out": str(folder / "frame.png"), "patch": str(folder / "frame.exr")},
            "faceset": {
                "clips": [pair["source"]],
                "performer": "Anna",
                "out": str(folder / "set"),
                "faceset": {"size": 64},
            },
        }

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Ask for all, and wait for all."""
        ids = {kind: self.live.client.submit(kind, request)["id"] for kind, request in self.requests.items()}
        return {kind: self.live.client.wait(id, 60) for kind, id in ids.items()}

    def refused(self, said: str, remedy: str) -> dict[str, dict[str, Any]]:
        """Ask for all, and see that each is refused by consent alone, and that nothing came of it."""
        before, jobs = self.files(), self.jobs()
        for kind, job in jobs.items():
            error = job["error"]
            assert (job["state"], error and error["exit_status"], job["result"]) == ("failed", 10, None), (kind, job)
            assert said in error["message"] and remedy in error["remedy"], (kind, error)
        assert self.files() == before
        return jobs

    def files(self) -> dict[str, int]:
        """What is there beside the records, and when each file was written."""
        found = (p for p in self.folder.rglob("*") if "performers" not in p.parts)
        return {str(p.relative_to(self.folder)): p.stat().st_mtime_ns if p.is_file() else 0 for p in found}


@pytest.fixture
def show(live: Live, clips: dict[str, Path]) -> Show:
    return Show(live, live.work / str(len(list(live.work.iterdir()))), clips)


def ended(show: Show) -> None:
    long_ago = clock.now() - 30 * DAY
    add(show.folder, "Anna", Terms(USES, until=(long_ago + DAY).date()), now=long_ago)


def to_begin(show: Show) -> None:
    add(show.folder, "Anna", Terms(USES, from_=(clock.now() + 2 * DAY).date()))


def taken_back(show: Show) -> None:
    add(show.folder, "Anna", Terms(USES))
    revoke(show.folder, "Anna")


def of_another_use(show: Show) -> None:
    add(show.folder, "Anna", Terms(("replaced",)))


def of_another_production(show: Show) -> None:
    open_project(show.folder, "Prequel")
    add(show.folder, "Anna", Terms(USES, production="Sequel"))


def edited(show: Show) -> None:
    add(show.folder, "Anna", Terms(USES, until=(clock.now() + DAY).date()))
    record = show.folder / "performers/000003.json"
    told = json.loads(record.read_bytes())
    told["record"]["until"] = "2099-01-01"
    record.write_text(json.dumps(told), "utf-8")


def deleted(number: int) -> Callable[[Show], None]:
    def delete(show: Show) -> None:
        taken_back(show)
        (show.folder / f"performers/{number:06d}.json").unlink()

    return delete


ADD, RESTORE = "faceplate performer add", "Restore "
ALL, SWAP, FACESET = ("swap", "preview", "faceset"), ("swap", "preview"), ("faceset", "preview")


@pytest.mark.parametrize(
    ("kinds", "prepare", "said", "remedy"),
    [
        pytest.param(ALL, lambda show: None, "here: no consent is recorded", ADD, id="no record"),
        pytest.param(SWAP, ended, " ended on ", ADD, id="expired"),
        pytest.param(ALL, to_begin, " begins on ", ADD, id="not yet valid"),
        pytest.param(FACESET, taken_back, " was revoked on ", ADD, id="revoked"),
        pytest.param(ALL, of_another_use, "allows replaced alone", ADD, id="another use"),
        pytest.param(SWAP, of_another_production, "the production 'Sequel', this is 'Prequel'", ADD, id="production"),
        pytest.param(ALL, edited, "000003.json: the records of consent cannot be relied on: was", RESTORE, id="edited"),
        pytest.param(FACESET, deleted(2), "this record is missing: it was deleted", RESTORE, id="deleted"),
    ],
)
def test_no_job_begins_without_consent(
    show: Show, kinds: tuple[str, ...], prepare: Callable[[Show], object], said: str, remedy: str
) -> None:
    show.requests = {kind: show.requests[kind] for kind in kinds}
    prepare(show)
    show.refused(said, remedy)


def test_an_answer_holds_only_as_long_as_the_consent_does(show: Show) -> None:
    refused = show.refused("no consent is recorded", "--self")
    add(show.folder, "Anna", Terms(USES))
    swap = refused["swap"]["id"]
    show.live.client.retry(swap)
    assert show.live.client.wait(swap, 60)["state"] == "finished"
    done = show.jobs()
    assert {job["state"] for job in done.values()} == {"finished"}, done
    assert done["swap"]["id"] == swap and all(
        done[kind]["id"] != refused[kind]["id"] for kind in ("preview", "faceset")
    )
    assert {"out", "frame.png", "frame.exr", "set"} <= set(show.files())
    assert {job["id"] for job in show.jobs().values()} == {job["id"] for job in done.values()}  # done already

    revoke(show.folder, "Anna")
    again = show.refused(" was revoked on ", ADD)
    assert {job["id"] for job in again.values()}.isdisjoint(job["id"] for job in done.values())


def test_what_was_done_is_done_anew_when_its_consent_has_ended_but_not_for_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, noon = apart(monkeypatch, tmp_path), datetime(2026, 6, 15, 12, tzinfo=UTC)
    add(folder, "Anna", Terms(USES, until=(noon + DAY).date()), now=noon)
    request = SwapRequest(plate=folder / "plate.mp4", source=folder / "source.mp4", out=folder / "out")

    def key(time: datetime) -> str:
        monkeypatch.setattr(clock, "now", lambda: time)
        return content_key("swap", request)

    first = key(noon)
    assert key(noon + DAY) == first != key(noon + 2 * DAY)
