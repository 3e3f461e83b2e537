"""Nobody's name, and nothing of the machine, comes into results, their manifests, logs and jobs, or the names of files, by itself."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.cache import digest_footage
from nodes.consent.edit import Terms, add, revoke
from nodes.consent.records import USES
from tests.support.clips import cut
from tests.support.edits import clip, write_edit
from tests.support.live_engine import Live, live_engine

pytestmark = pytest.mark.slow

NAMES = ("Wilhelmina Fnordstrom", "Zebulon Quuxley")
WORDS = tuple(word.casefold() for name in NAMES for word in name.split())


@pytest.fixture(scope="module")
def live(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An engine, and a project in which it is known by the clips who is in them, so that no request has to say a name."""
    folder = tmp_path_factory.mktemp("privacy")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEPLATE_PROJECT", raising=False)
        patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
        (folder / "credentials.toml").write_text("")
        patch.setenv("FACEPLATE_CREDENTIALS", str(folder / "credentials.toml"))
        with live_engine(folder, FACEPLATE_CACHE=str(folder / "cache")) as engine:
            clips = {
                "plate.mp4": (samples / "cap13_edit2.mp4", 0, 8),
                "source.mp4": (samples / "franck.mp4", 300, 8),
            }
            for name, (file, (sample, first, count)) in zip(NAMES, clips.items(), strict=True):
                made = cut(sample, engine.work / file, first, count)
                paper = folder / "release.pdf"
                paper.write_bytes(b"%PDF signed")
                add(engine.work, name, Terms(USES, paper=paper), [(digest_footage(made), made.name)])
            yield engine


@pytest.fixture(scope="module")
def jobs(live: Live) -> dict[str, dict[str, Any]]:
    """A job of each kind that makes something, as everyone sees it when it is done."""
    pair = {"plate": str(live.work / "plate.mp4"), "source": str(live.work / "source.mp4")}
    edit = write_edit(live.work / "cut.otio", [clip(live.work / "plate.mp4", 2, 4)])
    hosts = {"out": "frame/a.png", "patch": "frame/a.exr", "fusion": "frame/fusion"}
    asked = {
        "swap": {**pair, "out": str(live.work / "out"), "overlay": True, "fusion": True, "frames": True},
        "preview": {**pair, "frame": 3, **{name: str(live.work / path) for name, path in hosts.items()}},
        "timeline": {
            "edit": str(edit),
            "performers": {"source": [pair["source"]]},
            "source": "source",
            "run": {"method": "reference"},
            "handles": 0,
            "export": {"mode": "swap"},
        },
    }
    ids = {kind: live.client.submit(kind, request)["id"] for kind, request in asked.items()}
    done = {kind: live.client.wait(id, 120) for kind, id in ids.items()}
    done["credentials"] = live.client.submit("credentials", {"path": str(live.work / "out")}, wait=30)
    assert {job["state"] for job in done.values()} == {"finished"}, done
    return done


def made(live: Live) -> list[Path]:
    """All that jobs have written: not the records, the clips and the edit, which are the user's."""
    mine = {live.work / name for name in ("plate.mp4", "source.mp4", "cut.otio")}
    found = [p for p in live.work.rglob("*") if p.is_file() and p not in mine and "performers" not in p.parts]
    assert len(found) > 60
    return found


def test_no_name_is_in_what_is_made_nor_in_the_names_of_files(live: Live, jobs: dict[str, Any]) -> None:
    for file in made(live):
        text = file.read_bytes().decode("latin-1").casefold()
        assert not [word for word in WORDS if word in text or word in str(file).casefold()], file


def test_pictures_movies_and_manifests_tell_nothing_of_the_machine_and_its_folders(
    live: Live, jobs: dict[str, Any]
) -> None:
    told = [str(live.work), f"{Path.home()}/", "plate.mp4", "source.mp4"]
    told += [host] if len(host := socket.gethostname()) > 5 else []  # a shorter one is in any noise
    pictures = [p for p in made(live) if p.suffix in (".c2pa", ".png", ".exr", ".mkv", ".mp4")]
    assert len(pictures) > 50
    for file in pictures:
        text = file.read_bytes().decode("latin-1")
        assert not [one for one in told if one in text], file


def test_no_name_is_in_jobs_and_logs(live: Live, jobs: dict[str, Any]) -> None:
    everything = [json.dumps(job) for job in jobs.values()]
    everything += [live.client.log(job["id"])[0] for job in jobs.values()]
    everything += [json.dumps(live.client.list()), live.log()]
    everything += [p.read_bytes().decode("latin-1") for p in live.state.rglob("*") if p.is_file()]
    assert not [word for word in WORDS for text in everything if word in text.casefold()]


def test_who_is_refused_learns_it_by_the_answer_and_no_log_keeps_it(live: Live, jobs: dict[str, Any]) -> None:
    revoke(live.work, NAMES[0])
    request = jobs["preview"]["request"] | {"frame": 5}
    job = live.client.submit("preview", request, wait=30)
    assert job["error"]["exit_status"] == 10 and NAMES[0] in job["error"]["message"]
    logs = [live.log(), *(p.read_text("utf-8") for p in live.state.rglob("log.txt"))]
    assert not [word for word in WORDS for text in logs if word in text.casefold()]
    assert not [word for word in WORDS for p in live.state.rglob("*") if word in str(p).casefold()]
