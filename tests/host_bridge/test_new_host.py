"""A third host, in plain Python: the example of docs/new-host.md against a real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.consent.edit import Terms, add, revoke
from nodes.consent.records import USES
from nodes.footage.footage import open_footage
from tests import ROOT
from tests.support.clips import cut
from tests.support.live_engine import Live, engine_without_project

pytestmark = pytest.mark.slow
HOST = ROOT / "docs" / "examples" / "edit_list.py"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with engine_without_project(tmp_path_factory.mktemp("new-host")) as engine:
        yield engine


def test_a_host_of_a_hundred_lines_replaces_verifies_and_takes_back(samples: Path, live: Live) -> None:
    show = live.work / "show"
    show.mkdir()
    clip = {"name": "shot 1", "file": str(cut(samples / "cap13_edit2.mp4", show / "plate.mp4", 0, 8))}
    clip |= {"first": 2, "last": 4, "source": str(cut(samples / "franck.mp4", show / "anna.mp4", 0, 12))}
    edit = show / "edit.json"
    edit.write_text(json.dumps({"folder": str(show), "clips": [clip]}), "utf-8")

    def host(command: str) -> tuple[int, str]:
        ran = subprocess.run(
            [sys.executable, str(HOST), str(edit), command], capture_output=True, text=True, timeout=120, cwd=ROOT
        )
        assert not ran.stderr, ran.stderr
        return ran.returncode, ran.stdout

    def layers() -> list[str]:
        return json.loads(edit.read_text("utf-8"))["clips"][0].get("layers", [])

    status, said = host("replace")
    assert status == 1 and "faceplate performer add" in said and not layers()
    add(show, "Anna", Terms(USES))
    status, said = host("replace")
    assert status == 0 and "shot 1: Anna may be replaced" in said and "1 clips have their new face" in said
    with open_footage(Path(layers()[0])) as overlay:
        assert (overlay.info.first, overlay.info.frames) == (2, 3)
    assert host("verify")[0] == 0
    picture = Path(layers()[0] % 3)
    picture.write_bytes(picture.read_bytes()[:-20] + bytes(20))
    status, said = host("verify")
    assert status == 1 and picture.name in said
    revoke(show, "Anna")
    assert host("who")[0] == 1
    assert host("undo") == (0, "") and not layers()


def test_it_is_small() -> None:
    assert len(HOST.read_text("utf-8").splitlines()) < 500
