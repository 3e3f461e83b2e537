"""A run of an edit that is killed goes on: nothing is done twice, and its state is always whole and true."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.timeline.document import load
from tests.support.edits import QUICK, clip, performer, plate, write_edit
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]


@pytest.fixture(scope="module")
def command(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A run of an edit of three shots of one pair; the last one in its order is the second in the edit."""
    folder = tmp_path_factory.mktemp("killed")
    media = plate(samples, folder, 60)
    edit = write_edit(folder / "cut.otio", [clip(media, 2, 14), clip(media, 20, 10), clip(media, 36, 12)])
    return ["timeline", "run", str(edit), "--source", str(performer(samples, folder)), *QUICK]


def begin(command: list[str], state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "host_bridge.cli", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "FACEPLATE_STATE": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_once(process: subprocess.Popen[str], there: Callable[[], object], number: signal.Signals) -> str:
    """Send a signal as soon as something is there; returns what the process said on stderr."""
    wait_for(lambda: there() or process.poll() is not None, 120, every=0.005)
    assert process.poll() is None, process.communicate()[1]
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def written(folder: Path) -> dict[str, int]:
    """When each finished file was written: all but hidden ones, and the document."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != "timeline.json")
    return {
        str(p.relative_to(folder)): p.stat().st_mtime_ns
        for p in files
        if not any(part.startswith(".") for part in p.relative_to(folder).parts)
    }


def test_what_is_killed_in_the_middle_goes_on_there(command: list[str], tmp_path: Path) -> None:
    out = Path(command[2]).with_suffix(".faceplate")
    said = end_once(begin(command, tmp_path), lambda: any(out.glob("models/*/base-*/.training.pid")), signal.SIGTERM)
    assert said.splitlines()[-1] == "faceplate: terminated; the same command goes on from here"
    assert [shot.state for shot in load(out).shots] == ["waiting"] * 3
    facesets = {name: at for name, at in written(out).items() if name.startswith("facesets")}
    assert facesets

    third = out / "shots" / ".V1-0002.partial"
    end_once(begin(command, tmp_path), lambda: any(third.glob("patch/*.exr")), signal.SIGKILL)
    assert [shot.state for shot in load(out).shots] == ["done", "waiting", "done"], "it is whole, and true"
    before = written(out)
    assert facesets.items() <= before.items(), "the faces were gathered once"
    resumable = len(list(third.glob("patch/*.exr")))
    assert not (out / "shots" / "V1-0002").exists()

    process = begin([*command, "--json"], tmp_path)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert [shot["now"] for shot in json.loads(stdout)["shots"]] == [False, True, False]
    assert "1 of 3 shots to do, 2 done before" in stderr
    after = written(out)
    assert before.items() <= after.items(), "nothing that was there was written again"
    assert {Path(name).parts[:2] for name in after.keys() - before.keys()} == {("shots", "V1-0002")}
    results = json.loads((out / "shots" / "V1-0002" / "shot.json").read_bytes())["results"]
    assert resumable - 2 <= results["frames_resumed"] <= results["frames"], "nor were the patches that were there"
    (mark,) = (json.loads(p.read_bytes()) for p in out.glob("models/*/base-*/finished.json"))
    assert mark["result"]["steps"] == 3
