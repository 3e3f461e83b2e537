"""The menu scripts say who would be replaced by whom by which consents, and stop before anything is changed where one is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host_bridge.client import connect
from host_bridge.fusion import faceplate_resolve as script
from host_bridge.fusion.build import lua_script
from host_bridge.fusion.faceplate_resolve import Config
from host_bridge.jobs.resolve import NamedCast, casts_in
from host_bridge.watch.hot_folder import HotFolder
from nodes.consent.edit import Added, Terms, revoke
from nodes.consent.records import USES, Use
from tests.host_bridge.fusion.test_resolve_scripts_python import footage, host, told  # noqa: F401
from tests.support.consents import add_consent
from tests.support.live_engine import Live, engine_without_project
from tests.support.resolve_host import Host
from tests.support.resolve_lua import Lua

pytestmark = pytest.mark.slow

REPLACE, TRAIN, EXPORT = "Replace face in selected clips", "Train on selected clips", "Export timeline to Faceplate"
EDITIONS = ("python", "full", "sandbox")
BOTH = ("python", "sandbox")
_DOES: dict[str, Callable[[Any, Config], None]] = {
    REPLACE: lambda resolve, config: script.replace(resolve, config, "above"),
    TRAIN: script.train,
    EXPORT: script.export,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with engine_without_project(tmp_path_factory.mktemp("resolve-consent")) as engine:
        yield engine


class Menu:
    """A project, and the scripts of an edition, whose results belong to it."""

    def __init__(self, live: Live, host: Host, edition: str, print_of: Callable[[], str]) -> None:  # noqa: F811
        self.live, self.host, self.edition, self._print_of = live, host, edition, print_of
        self.folder = live.work / f"show-{len(list(live.work.iterdir()))}"
        (self.folder / "hot" / "edits").mkdir(parents=True)
        told = {"folder": f"{self.folder}/hot", "results": f"{self.folder}/results", "python": sys.executable}
        self.config = Config(**told, version="1", handles=1, minutes=1, wait=60, method="reference")
        self.known = {job["id"] for job in live.client.list()["jobs"]}

    def play(self, name: str) -> list[str]:
        """Run a script, and return what it printed."""
        if self.edition == "python":
            _DOES[name](self.host.handle(), self.config)
            return self._print_of().splitlines()
        self.host.prefs_file = self.folder / "Fusion.prefs"
        watcher = HotFolder(Path(self.config.folder), connect, settle=0, prefs=[self.host.prefs_file])
        watcher.step()
        lua = Lua(self.host, self.edition, lambda seconds: watcher.step())
        lua.run(lua_script(name, self.config))
        while watcher.waiting:
            watcher.step()
        watcher.close()
        return lua.printed

    def jobs(self, kind: str) -> list[dict[str, Any]]:
        """The jobs of this kind that were asked for, the first one first."""
        found = [job for job in self.live.client.list()["jobs"] if job["id"] not in self.known and job["kind"] == kind]
        return found[::-1]

    def agreed(self, name: str, *uses: Use) -> Added:
        return add_consent(self.folder, name, Terms(uses or USES))


@pytest.fixture
def menu(
    live: Live,
    host: Host,  # noqa: F811
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> Menu:
    return Menu(live, host, request.param, lambda: capsys.readouterr().out)


def of(*editions: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("menu", editions, indirect=True)


def marker(note: str, frame: int = 0, duration: int = 1) -> dict[float, dict[str, Any]]:
    return {float(frame): {"color": "Blue", "name": "", "note": note, "duration": float(duration), "customData": ""}}


def nobody(menu: Menu) -> None:
    """Nobody has agreed to anything."""


def taken_back(menu: Menu) -> None:
    menu.agreed("Anna")
    revoke(menu.folder, "Anna")


def edited(menu: Menu) -> None:
    menu.agreed("Anna")
    record = menu.folder / "performers/000003.json"
    told = json.loads(record.read_bytes())
    told["record"]["uses"] = ["train"]
    record.write_text(json.dumps(told), "utf-8")


@of(*EDITIONS)
@pytest.mark.parametrize(
    ("prepare", "said", "remedy"),
    [
        (nobody, ": nobody may be replaced here: no consent is recorded", "faceplate performer add"),
        (taken_back, " was revoked on ", "Record a consent that allows it: faceplate performer add"),
        (edited, "000003.json: the records of consent cannot be relied on: was", "Restore "),
    ],
)
@pytest.mark.parametrize("name", [REPLACE, TRAIN, EXPORT])
def test_what_consent_forbids_is_said_with_its_remedy_and_nothing_is_changed(
    menu: Menu, name: str, prepare: Callable[[Menu], None], said: str, remedy: str
) -> None:
    prepare(menu)
    if name == TRAIN:
        said = said.replace("be replaced", "be trained on")
    tracks = [list(track) for track in menu.host.timeline.tracks]
    menu.play(name)
    assert said in told(menu.host) and remedy in told(menu.host) and "Nothing was changed" in told(menu.host)
    assert menu.host.timeline.tracks == tracks and not menu.host.pool.root.folders
    assert not any(menu.jobs(kind) for kind in ("swap", "faceset", "train", "timeline"))
    assert not list(menu.folder.rglob("*.otio")) and not (menu.folder / "results").exists()


@of(*BOTH)
def test_who_is_replaced_by_whom_by_which_consents_is_said_before_the_work(menu: Menu) -> None:
    ben, anna = menu.agreed("Ben", "replaced"), menu.agreed("Anna", "replacement")
    first, *_, last = menu.play(REPLACE)
    assert first == (
        f"Faceplate: plate.mp4: Ben may be replaced ({ben.consent.id}); Anna may be put in ({anna.consent.id})"
    )
    assert last.startswith("Faceplate: 1 of 1 clips have their new face")
    assert [len(track) for track in menu.host.timeline.tracks] == [2, 1]


@of(*BOTH)
def test_markers_say_who_is_meant_those_of_the_clip_before_those_of_the_timeline(menu: Menu) -> None:
    for name in ("Anna Lee", "Ben", "Carl"):
        menu.agreed(name)
    timeline = menu.host.timeline
    plate, other = timeline.tracks[0]
    other.colour = "Purple"
    menu.play(REPLACE)
    assert "plate.mp4: whose face this is is not known; it may be that of Anna Lee" in told(menu.host)
    timeline.markers = {} | marker("face target=Carl source='anna lee'", 90, 200)
    plate.markers = marker(
        "look here: FACE target=Ben source=\N{LEFT DOUBLE QUOTATION MARK}Anna Lee\N{RIGHT DOUBLE QUOTATION MARK}"
    )
    menu.play(REPLACE)
    casts = [{k: v for k, v in job["request"]["settings"]["swap"].items() if v} for job in menu.jobs("swap")]
    people = [(swap["target_performer"], swap["source_performer"]) for swap in casts]
    assert people == [("Ben", "Anna Lee"), ("Carl", "anna lee")]
    plate.markers |= marker("FACE target=Carl source=Ben", 3)
    other.colour = ""
    menu.play(REPLACE)
    assert "plate.mp4: markers name more than one replacement" in "".join(menu.host.notes())


@of(*BOTH)
def test_one_clip_that_is_forbidden_stops_all_before_the_first_is_done(menu: Menu) -> None:
    menu.agreed("Anna")
    menu.agreed("Ben", "train")
    _, other = menu.host.timeline.tracks[0]
    other.colour, other.markers = "Purple", marker("FACE target=Ben source=Anna")
    menu.play(REPLACE)
    assert "other.mp4: Ben (p-" in told(menu.host) and "plate.mp4" not in told(menu.host)
    assert not menu.jobs("swap")


@of(*BOTH)
def test_a_training_is_of_those_whom_markers_name(menu: Menu) -> None:
    ids = {name: menu.agreed(name).performer.id for name in ("Anna", "Ben", "Carl")}
    plate, other = menu.host.timeline.tracks[0]
    plate.markers = marker("FACE target=Ben source=Carl")
    other.colour, other.markers = "Purple", marker("FACE target=Anna source=Carl")
    menu.play(TRAIN)
    assert "the chosen clips are of two performers, " in told(menu.host)
    other.colour = ""
    said = menu.play(TRAIN)
    assert "anna on plate: Ben may be trained on (c-" in said[0] and "; Carl may be trained on (c-" in said[0]
    requests = [job["request"] for job in menu.jobs("faceset")]
    assert [(r["performer"], r["named"]) for r in requests] == [("Carl", "Carl"), ("Ben", "Ben")]
    sets = [json.loads(Path(r["out"], "faceset.json").read_bytes()) for r in requests]
    assert [s["provenance"]["performers"][0]["id"] for s in sets] == [ids["Carl"], ids["Ben"]]
    (job,) = menu.jobs("train")
    menu.live.client.cancel(job["id"])


@of(*BOTH)
def test_a_timeline_goes_out_with_the_name_of_its_source(menu: Menu) -> None:
    menu.agreed("Anna")
    plate, _ = menu.host.timeline.tracks[0]
    del menu.host.timeline.tracks[0][1]
    assert "plate.mp4: Anna may be replaced (c-" in menu.play(EXPORT)[0]
    menu.agreed("Ben")
    menu.play(EXPORT)
    assert "plate.mp4: whose face this is is not known" in told(menu.host)
    plate.markers = marker("FACE target=Ben source=Anna")
    assert "plate.mp4: Ben may be replaced (c-" in menu.play(EXPORT)[0]
    first, second = (job["request"] for job in menu.jobs("timeline"))
    source = menu.host.pool.selected[0].path
    assert (first["performers"], first["source"]) == ({"Anna": [source]}, "Anna")
    assert (second["performers"], second["source"]) == ({"Anna": [source]}, None)
    for job in menu.jobs("timeline"):
        menu.live.client.wait(job["id"], 60)
    menu.host.timeline.markers = marker("FACE source=Dora") | marker("FACE target=Ben source=Carl", 110)
    menu.play(EXPORT)
    assert "markers name several sources, and the Media Pool's selection is of one: Anna, Carl" in "".join(
        menu.host.notes()
    )


@pytest.mark.parametrize(
    ("text", "casts"),
    [
        ("FACE target=anchor source=franck", [NamedCast("anchor", "franck")]),
        ('Face: source = "Ann Lee", target=ben; track=2', [NamedCast("ben", "Ann Lee", (2,))]),
        (
            "FACE target=a source=b track='1,2' FACE target=c source=d",
            [NamedCast("a", "b", (1, 2)), NamedCast("c", "d")],
        ),
        ("in your face = no. Surface target=x", []),
        ("FACE target=", [NamedCast()]),
        ("", []),
    ],
)
def test_a_note_says_who_is_replaced_by_whom(text: str, casts: list[NamedCast]) -> None:
    assert casts_in(text) == casts
