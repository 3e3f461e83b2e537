"""The Swap Fuse says whether the results that it shows are still what was signed: intact, changed, without their manifest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_bridge.watch.hot_folder import HotFolder
from nodes.consent.records import USES
from tests.host_bridge.fusion.test_fusion_consent import Show, stage, watcher  # noqa: F401
from tests.support.consents import agreed
from tests.support.fusion_host.stage import FIRST, Stage
from tests.support.signing import flip

pytestmark = pytest.mark.slow

INTACT = "results: intact; signed with this machine's own certificate"


@pytest.fixture(scope="module")
def done(stage: Stage, watcher: HotFolder) -> Show:  # noqa: F811
    """A node whose range is rendered, in the confined edition; and a preview of one frame elsewhere."""
    show = Show(stage, watcher)
    agreed(show.folder, {"Anna": USES})
    show.press("Render")
    show.ended("The shot is rendered.")
    return show


@pytest.fixture
def results(done: Show) -> Iterator[Path]:
    """Its results, which are afterwards what they were."""
    folder = done.folder / "out"
    shutil.copytree(folder, done.folder / "kept")
    yield folder
    shutil.rmtree(folder)
    (done.folder / "kept").rename(folder)


def test_results_that_nobody_touched_are_intact(done: Show, results: Path) -> None:
    assert done.press("Verify").startswith(f"8 of 8 {INTACT}"), done.note


def test_a_frame_that_was_changed_is_named(done: Show, results: Path) -> None:
    flip(results / "fusion" / f"{FIRST + 1:04d}.patch.png")
    said = done.press("Verify")
    assert said.startswith(
        f"{FIRST:04d}.matte.png, 8 frames: not intact: a frame was changed after signing: 0008.patch.png."
    )
    assert f"7 of 8 {INTACT}" in said


def test_a_manifest_that_was_taken_out_is_missed(done: Show, results: Path) -> None:
    (results / "fusion" / "fusion.c2pa").unlink()
    said = done.press("Verify")
    assert (
        said.startswith("fusion: its Content Credentials are gone: shot.json says that it was signed")
        and INTACT in said
    )


def test_the_manifest_of_another_file_does_not_fit(done: Show, results: Path) -> None:
    shutil.copy(results / "patch" / "patch.c2pa", results / "fusion" / "fusion.c2pa")
    said = done.press("Verify")
    assert "not intact" in said and "removed: patch.0007.exr" in said and f"7 of 8 {INTACT}" in said, said


def test_directly_too_and_of_a_single_frame_where_there_is_no_more(stage: Stage) -> None:  # noqa: F811
    show = Show(stage, None)
    agreed(show.folder, {"Anna": USES})
    assert "out: does not exist" in show.press("Verify")
    show.press("Preview")
    show.ended("The preview is there.")
    assert show.press("Verify").startswith(
        "0008.matte.png, 2 frames: intact; signed with this machine's own certificate"
    )
    flip(show.folder / "out.preview" / "fusion" / "0008.matte.png")
    assert "a frame was changed after signing: 0008.matte.png" in show.press("Verify")
