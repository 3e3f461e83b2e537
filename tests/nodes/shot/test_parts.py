"""The table of a shot's parts: what is Faceplate's own in a folder, and what an interrupted run goes on with."""

from __future__ import annotations

import pytest

from nodes.parts import FOLDERS, PARTS, frame_file, is_kept, is_ours


@pytest.mark.parametrize(
    "name",
    [
        "shot.json",
        "composite.mkv",
        "composite.c2pa",
        "plate.c2pa",
        "preview.mp4",
        "faces.npz",
        "patch/patch.0001.exr",
        "patch/patch.c2pa",
        "composite/composite.1001.dpx",
        "composite/composite.dpx.c2pa",
        "fusion/index.lua",
        "fusion/0001.matte.png",
    ],
)
def test_what_faceplate_writes_is_its_own(name):
    assert is_ours(name)


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "preview.c2pa", "patch/other.0001.exr", "patch/matte.c2pa", "mine/patch.0001.exr", "still.png"],
)
def test_files_of_others_are_never_touched(name):
    assert not is_ours(name)


def test_only_patches_and_mattes_are_gone_on_with(tmp_path):
    assert {name for name in FOLDERS if PARTS[name].kept} == {"patch", "matte"}
    assert is_kept("patch/patch.0001.exr") and not is_kept("patch/patch.c2pa") and not is_kept("over/over.0001.exr")
    assert frame_file(tmp_path, "matte", 7) == tmp_path / "matte" / "matte.0007.exr"
