"""The Swap node in a real Blender asks for consent: refused, agreed to, taken back; all on the node, nothing in the console."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blender import Blender, blender, extension, faceplate_in  # noqa: F401
from clips import pictures, write_movie
from live_engine import Live, live_engine

FIRST, COUNT = 7, 3
SCENE = f"""
import subprocess
enable()
scene = empty_scene(400, 300, {FIRST}, {FIRST + COUNT - 1})
tree, end = compositor(scene)
plate = tree.nodes.new("CompositorNodeImage")
plate.image = bpy.data.images.load(str(show / "plate.mkv"))
plate.frame_duration, plate.frame_start, plate.frame_offset, plate.use_auto_refresh = {COUNT}, {FIRST}, 0, True
swap = tree.nodes.new("FaceplateSwapNode")
tree.links.new(plate.outputs["Image"], swap.inputs["Image"])
tree.links.new(swap.outputs["Image"], end.inputs[0])
swap.source = str(show / "source.mkv")
bpy.ops.wm.save_as_mainfile(filepath=str(show / "shot.blend"))
told = {{}}

def press(name, action):
    begin(swap, action)
    pump(lambda: swap.state != "BUSY")
    made = sorted(p.name for p in show.rglob("*") if p.suffix == ".exr")
    told[name] = {{"state": swap.state, "said": swap.message + " " + swap.remedy, "made": made}}

def performer(*words):
    command = [{sys.executable!r}, "-m", "host_bridge.cli", "performer", *words]
    subprocess.run(command, cwd=show, check=True, stdout=subprocess.DEVNULL)
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("consent-blender")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACEPLATE_PROJECT")
        patch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
        with live_engine(folder) as engine:
            yield engine


def test_the_swap_node_asks_for_consent_each_time(faceplate_in: Blender, live: Live, samples: Path) -> None:  # noqa: F811
    show = live.work / faceplate_in.version
    show.mkdir()
    write_movie(show / "plate.mkv", pictures(samples / "cap13_edit2.mp4", 20, COUNT), codec="ffv1")
    write_movie(show / "source.mkv", pictures(samples / "franck.mp4", 300, 8), codec="ffv1")
    told = faceplate_in.run(
        f"""show = Path({str(show)!r})
{SCENE}
press("nobody", "CONSENT")
for action in ("PREVIEW", "RENDER"):
    press("refused " + action, action)
performer("add", "Anna", "--self", "--until", "2099-12-31")
press("agreed", "CONSENT")
for action in ("PREVIEW", "RENDER"):
    press("allowed " + action, action)
performer("revoke", "Anna")
press("taken back", "CONSENT")
for action in ("PREVIEW", "RENDER"):
    press("refused again " + action, action)
answer(told)
""",
        seconds=120,
        FACEPLATE_PYTHON=sys.executable,
    )
    assert "no consent is recorded" in told["nobody"]["said"] and "faceplate performer add" in told["nobody"]["said"]
    assert re.fullmatch(
        r"Anna may be replaced until 2099-12-31 \((c-\w+)\); Anna may be put in until 2099-12-31 \(\1\)",
        told["agreed"]["said"].strip(),
    )
    assert "Anna (p-" in told["taken back"]["said"] and " was revoked on " in told["taken back"]["said"]
    done = told["allowed RENDER"]["made"]
    for action in ("PREVIEW", "RENDER"):
        first, allowed, again = (told[f"{when} {action}"] for when in ("refused", "allowed", "refused again"))
        assert (first["state"], first["made"]) == ("ERROR", [])
        assert "nobody may be replaced here: no consent is recorded" in first["said"]
        assert "faceplate performer add" in first["said"] and "--self" in first["said"]
        assert allowed["state"] == "DONE" and allowed["made"], allowed
        assert (again["state"], again["made"]) == ("ERROR", done)
        assert " was revoked on " in again["said"] and "Record a consent that allows it" in again["said"]
