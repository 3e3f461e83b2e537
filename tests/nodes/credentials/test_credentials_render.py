"""Results are signed where they are written: a render, what is added to it, a single frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from host_bridge.jobs import swap
from host_bridge.reporting import Watch
from nodes.consent.book import ConsentBook, open_book
from nodes.consent.records import Use
from nodes.credentials import sign as credentials_sign
from nodes.credentials.identity import load_identity, load_trust
from nodes.credentials.sign import sign_made, switch
from nodes.credentials.verdict import Verdict
from nodes.credentials.verify import verify
from nodes.errors import CredentialsError, OutputError
from tests.support.clips import cut, write_movie
from tests.support.consents import agreed
from tests.support.reports import without_report
from tests.support.signing import Authority, apart, claim, configure, flip

CAST: dict[str, tuple[Use, ...]] = {"Anna": ("replaced",), "Ben": ("replacement",)}


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Path]:
    """A folder with keys of its own, a plate with Content Credentials of its own and a source; reports are tested elsewhere."""
    folder = tmp_path_factory.mktemp("show")
    with pytest.MonkeyPatch.context() as patch:
        apart(patch, folder)
        patch.delenv("FACEPLATE_PROJECT", raising=False)
        patch.setenv("FACEPLATE_CACHE", str(folder / "cache"))
        without_report(patch)
        agreed(folder, CAST)
        cut(samples / "cap13_edit2.mp4", folder / "plate.mp4", 0, 8)
        cut(samples / "franck.mp4", folder / "source.mp4", 300, 40)
        sign_made(folder / "plate.mp4", claim("plate"), load_identity())
        yield folder


def render(show: Path, name: str = "out", **more: object) -> dict[str, Any]:
    told = {"plate": show / "plate.mp4", "source": show / "source.mp4", "out": show / name}
    return swap.swap(swap.SwapRequest.model_validate(told | more), Watch()).model_dump(mode="json")


@pytest.fixture(scope="module")
def done(show: Path) -> dict[str, Any]:
    """A shot with an overlay, with frames as pictures and with what Fuses read."""
    roto = show / "roto.mp4"
    white = np.full((300, 400, 3), 255, np.uint8)
    write_movie(roto, [white] * 8)
    return render(show, overlay=True, frames=True, fusion=True, roto=roto)


def _consents(book: ConsentBook, name: str) -> list[str]:
    return [c.id for c in book.consents_of(book.the_performer(name).id)]


def found(folder: Path) -> dict[str, Verdict]:
    return {v.file.relative_to(folder).as_posix(): v for v in verify(folder, load_trust())}


def test_all_that_a_render_writes_is_signed(show: Path, done: dict[str, Any]) -> None:
    verdicts = found(show / "out")
    assert set(verdicts) == {
        "composite.mkv",
        "plate.mkv",
        "preview.mp4",
        "sheet.png",
        "composite/composite.0000.png",
        "patch/patch.0000.exr",
        "matte/matte.0000.exr",
        "overlay/overlay.0000.png",
        "fusion/0000.matte.png",
    }
    assert {v.state for v in verdicts.values()} == {"own"}
    assert done["shot"] == json.loads((show / "out" / "shot.json").read_bytes())
    assert len(done["shot"]["credentials"]["results"]) == len(verdicts)
    said = verdicts["composite.mkv"].manifest
    assert [a.source_type for a in said.actions] == [None, None, "composite", "humanEdits"]
    assert said.swap["plates"] == [done["shot"]["inputs"]["plate"]["digest"]]
    assert any(i["relationship"] == "componentOf" for i in said.ingredients)
    roles = {c["role"]: c["records"] for c in said.swap["consents"]}
    book = open_book(show)
    assert roles == {"target": _consents(book, "Anna"), "source": _consents(book, "Ben")}
    for name in (b"Anna", b"Ben"):
        assert all(name not in file.read_bytes() for file in (show / "out").rglob("*.c2pa"))


def test_what_is_changed_in_a_folder_of_results_shows(show: Path, done: dict[str, Any]) -> None:
    folder = show / "out"
    for file in ("composite.mkv", "preview.mp4", "patch/patch.0003.exr", "fusion/0002.matte.png"):
        path = folder / file
        before = path.read_bytes()
        flip(path, 0.6)
        assert [v.state for v in verify(folder, load_trust()) if not v.intact] == ["changed"], file
        path.write_bytes(before)
    assert all(v.intact for v in verify(folder, load_trust()))


def test_rendering_again_leaves_no_manifest_of_what_is_gone(show: Path) -> None:
    render(show, "again", overlay=True)
    assert (show / "again/overlay/overlay.c2pa").is_file()
    render(show, "again")
    assert not (show / "again/overlay").exists()
    assert {v.state for v in found(show / "again").values()} == {"own"}


def test_a_single_frame_is_signed_and_its_pixels_stay(show: Path) -> None:
    told = {"plate": show / "plate.mp4", "source": show / "source.mp4", "frame": 3, "out": show / "still.png"}
    swap.preview(swap.PreviewRequest.model_validate(told), Watch())
    (verdict,) = verify(show / "still.png", load_trust())
    assert verdict.state == "own" and verdict.manifest.swap["part"] == "still"
    assert [c["role"] for c in verdict.manifest.swap["consents"]] == ["target", "source"]
    assert cv2.imread(str(show / "still.png")).shape == (300, 400, 3)


def test_all_that_a_preview_writes_for_hosts_is_signed_and_names_the_frame_that_was_changed(show: Path) -> None:
    told = {"plate": show / "plate.mp4", "source": show / "source.mp4", "patch": show / "host/patch.exr"}
    for frame in (2, 5):
        more = {"frame": frame, "fusion": show / "host/fusion"}
        swap.preview(swap.PreviewRequest.model_validate(told | more), Watch())
    assert {f.name for f in (show / "host/fusion").iterdir()} == {
        "0005.matte.png",
        "0005.patch.png",
        "fusion.c2pa",
        "index.lua",
    }
    verdicts = {v.file.name: v for name in ("patch.exr", "fusion") for v in verify(show / "host" / name, load_trust())}
    assert {n: v.manifest.swap["part"] for n, v in verdicts.items()} == {
        "patch.exr": "patch",
        "0005.matte.png": "fusion",
    }
    assert {v.state for v in verdicts.values()} == {"own"}
    flip(show / "host/fusion/0005.patch.png", 0.6)
    (wrong,) = verify(show / "host/fusion", load_trust())
    assert wrong.faults == ("a frame was changed after signing: 0005.patch.png",)


def test_a_patch_beside_its_picture_is_told_from_it_and_loses_its_manifest_when_it_is_written_unsigned(
    show: Path,
) -> None:
    project = show / "preview"
    agreed(project, CAST)
    told = {"plate": show / "plate.mp4", "source": show / "source.mp4", "frame": 3}
    request = swap.PreviewRequest.model_validate(told | {"out": project / "a.png", "patch": project / "a.exr"})
    swap.preview(request, Watch())
    made = [project / "a.png", project / "a.exr"]
    assert [v.manifest.swap["part"] for file in made for v in verify(file, load_trust())] == ["still", "patch"]
    (of_sidecar,) = verify(project / "a.c2pa", load_trust())
    assert of_sidecar.file == project / "a.exr" and of_sidecar.state == "own"
    switch(project, False, "the client signs")
    swap.preview(request, Watch())
    assert not (project / "a.c2pa").exists() and {verify(file, load_trust())[0].state for file in made} == {"none"}


def test_what_a_preview_cannot_sign_does_not_stay(show: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutputError("cannot be written: the disk is full", file=show / "full/a.c2pa")

    monkeypatch.setattr(credentials_sign, "sign_stream", full)
    told = {"plate": show / "plate.mp4", "source": show / "source.mp4", "frame": 3}
    more = {"out": show / "full/a.png", "patch": show / "full/a.exr", "fusion": show / "full/fusion"}
    with pytest.raises(OutputError, match="the disk is full"):
        swap.preview(swap.PreviewRequest.model_validate(told | more), Watch())
    assert {f.name for f in (show / "full").rglob("*") if f.is_file()} == {"index.lua"}


def test_a_certificate_that_cannot_sign_stops_a_render_before_it_begins(
    show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path / "studio", monkeypatch, Authority.new(), days=-1)
    with pytest.raises(CredentialsError, match="cannot sign"):
        render(show, "never")
    assert not (show / "never").exists() and not list(show.glob(".never*"))


def test_what_was_switched_off_says_since_when_and_why(show: Path, tmp_path: Path) -> None:
    project = show / "unsigned"
    agreed(project, CAST)
    off = switch(project, False, "the client signs")
    told = render(show, "unsigned/out", overlay=True)
    assert told["shot"]["credentials"] == off.model_dump()
    assert not list((project / "out").rglob("*.c2pa"))
    assert {v.state for v in found(project / "out").values()} == {"none"}
