"""A run of a timeline that is cancelled in the engine leaves nothing half written, and goes on when it is asked for again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_bridge.timeline.document import load
from nodes.credentials.identity import load_trust
from nodes.credentials.verify import verify
from nodes.footage.footage import open_footage
from nodes.footage.patch_files import read_patch
from nodes.shot_document import load_shot
from tests.support.consents import agreed
from tests.support.edits import clip, performer, plate, write_edit
from tests.support.live_engine import Live, live_engine
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


def finished(folder: Path) -> dict[str, int]:
    """When each file was written that somebody may look at: all but hidden ones, and the state of the run."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != "timeline.json")
    names = {p.relative_to(folder): p.stat().st_mtime_ns for p in files}
    return {str(name): at for name, at in names.items() if not any(part.startswith(".") for part in name.parts)}


def cancelled(live: Live, job: dict[str, Any], when: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Cancel a job when something is so, and return it as it is then."""

    def reached() -> bool:
        now = live.client.show(job["id"])
        assert now["state"] in ("queued", "running"), now
        return bool(when(now))

    wait_for(reached, 60, every=0.005)
    return live.client.cancel(job["id"])


def test_a_run_that_is_cancelled_in_its_second_shot_goes_on_there(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_engine(tmp_path / "engine") as live:
        who = {"franck": ("replacement",), "ben": ("replaced",)}
        monkeypatch.setenv("FACEPLATE_PROJECT", str(agreed(live.work / "project", who)))
        media = plate(samples, live.work, 60)
        # The longer one comes first; the other is long enough to be met in the middle.
        edit = write_edit(live.work / "cut.otio", [clip(media, 32, 22), clip(media, 2, 26)])
        request = {
            "edit": str(edit),
            "performers": {"franck": [str(performer(samples, live.work))]},
            "source": "franck",
            "run": {"method": "reference"},
            "handles": 2,
            "settings": {"swap": {"project": str(live.work / "project")}},
            "export": {"mode": "swap"},
        }
        out, hidden = edit.with_suffix(".faceplate"), edit.with_suffix(".faceplate") / "shots" / ".V1-0001.partial"

        def painting(now: dict[str, Any]) -> bool:
            # The engine tells of progress a moment after the first patch is there.
            return any(hidden.glob("patch/patch.*.exr")) and str((now["progress"] or {}).get("stage")).endswith("swap")

        job = cancelled(live, live.client.submit("timeline", request), painting)
        assert job["progress"]["stage"] == "shot 2 of 2, V1-0001: swap"
        assert (job["state"], job["error"], job["result"]) == ("cancelled", None, None)
        assert [shot.state for shot in load(out).shots] == ["waiting", "done"], "it is whole, and true"
        assert not (out / "shots" / "V1-0001").exists() and not edit.with_name("cut.swap.otio").exists()
        for patch in hidden.glob("patch/patch.*.exr"):
            read_patch(patch)
        assert {v.state for v in verify(out / "shots" / "V1-0002", load_trust())} == {"own"}
        before, resumable = finished(out), len(list(hidden.glob("patch/patch.*.exr")))
        assert 0 < resumable < 26

        again = live.client.submit("timeline", request)
        assert again["id"] != job["id"]
        done = live.client.wait(again["id"], 120)
        assert done["state"] == "finished", done
        assert [shot["now"] for shot in done["result"]["shots"]] == [True, False]
        assert before.items() <= finished(out).items(), "nothing that was there was written again"
        results = load_shot(out / "shots" / "V1-0001").results
        assert resumable - 2 <= results.frames_resumed <= results.frames == 26
        assert not hidden.exists() and Path(done["result"]["export"]["file"]).is_file()
        with open_footage(out / "shots" / "V1-0001" / "composite.mkv") as movie:
            assert movie.info.frames == 26
        assert json.loads((out / "shots" / "V1-0001" / "shot.json").read_bytes())["credentials"]["signed"]
