"""Aligned pictures that are put back into the plate are results of faces, and signed: nobody knows what was done to them meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from host_bridge.jobs import faces
from host_bridge.reporting import Watch
from nodes.cache import digest_footage
from nodes.consent.edit import Terms, add
from nodes.consent.records import USES
from nodes.credentials.identity import load_identity, load_trust
from nodes.credentials.sign import sign_made, switch
from nodes.credentials.verdict import Verdict
from nodes.credentials.verify import verify
from nodes.errors import CredentialsError
from nodes.footage.footage import open_footage
from nodes.footage.sequence import SequenceWriter
from tests.support.clips import cut, pictures
from tests.support.signing import apart, claim, flip


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Path]:
    """A folder with keys of its own, a movie with Content Credentials of its own and a sequence, and both aligned and edited."""
    folder = tmp_path_factory.mktemp("show")
    with pytest.MonkeyPatch.context() as patch:
        apart(patch, folder)
        patch.delenv("FACEPLATE_PROJECT", raising=False)
        movie = cut(samples / "franck.mp4", folder / "movie.mp4", 300, 4)
        sign_made(movie, claim("plate"), load_identity())
        with (
            open_footage(movie) as footage,
            SequenceWriter(folder / "frames/plate.%04d.exr", footage.info, 1001) as frames,
        ):
            for frame in footage.frames(0, 3):
                frames.write(frame)
        aligned(movie, folder / "of movie")
        aligned(folder / "frames/plate.%04d.exr", folder / "of frames", rate="25")
        yield folder


def aligned(plate: Path, folder: Path, **more: Any) -> None:
    """Align, and paint on the first picture."""
    run(clip=plate, out=folder, **more)
    file = str(folder / json.loads((folder / "transforms.json").read_bytes())["images"][0]["file"])
    picture = cv2.imread(file)
    picture[60:120] = 0, 255, 0
    cv2.imwrite(file, picture)


def run(**request: Any) -> dict[str, Any]:
    return faces.align(faces.AlignRequest.model_validate(request), Watch()).model_dump(mode="json")


def one(path: Path) -> Verdict:
    (found,) = verify(path, load_trust())
    return found


def test_a_movie_says_that_what_was_put_back_may_have_been_edited_and_of_which_plate_it_is(show: Path) -> None:
    told = run(invert=show / "of movie", out=show / "back.mkv")
    assert told["edited"] == 1
    found = one(show / "back.mkv")
    assert found.state == "own" and found.sidecar == show / "back.c2pa" and found.manifest is not None
    assert found.manifest.swap["plates"] == [digest_footage(show / "movie.mp4")] and found.manifest.swap["models"] == []
    assert [(a.action, a.source_type) for a in found.manifest.actions] == [
        ("c2pa.opened", None),
        ("c2pa.edited", "composite"),
    ]
    assert "may have been edited" in (found.manifest.actions[1].description or "")
    assert b"movie.mp4" not in (show / "back.c2pa").read_bytes()
    flip(show / "back.mkv", 0.7)
    assert one(show / "back.mkv").state == "changed"


def test_a_sequence_gets_one_manifest_that_names_a_frame_that_was_changed(show: Path) -> None:
    run(invert=show / "of frames", out=show / "back")
    assert {f.name for f in (show / "back").iterdir()} == {
        "plate.c2pa",
        *(f"plate.{n}.exr" for n in range(1001, 1005)),
    }
    found = one(show / "back")
    assert (found.state, found.frames) == ("own", 4)
    flip(show / "back/plate.1003.exr", 0.8)
    assert one(show / "back").faults == ("a frame was changed after signing: plate.1003.exr",)
    run(invert=show / "of frames", out=show / "back")
    assert one(show / "back").state == "own", "written again, it is signed again"


def test_of_pictures_each_is_signed_for_itself(show: Path, samples: Path) -> None:
    (show / "pictures").mkdir()
    for name, first in (("a.png", 300), ("other.exr", 320)):
        (shown,) = pictures(samples / "franck.mp4", first, 1)
        cv2.imwrite(str(show / "a.png"), shown[..., ::-1])
        with (
            open_footage(show / "a.png") as footage,
            SequenceWriter(show / f"{name}.%04d{name[-4:]}", footage.info) as to,
        ):
            to.write(footage.frame(0))
        next(show.glob(f"{name}.*{name[-4:]}")).rename(show / "pictures" / name)
    aligned(show / "pictures", show / "of pictures", pictures=True)
    run(invert=show / "of pictures", out=show / "pictures back")
    assert {f.name for f in (show / "pictures back").iterdir()} == {"a.png", "other.exr", "other.c2pa"}
    for name in ("a.png", "other.exr"):
        found = one(show / "pictures back" / name)
        assert found.state == "own" and found.manifest is not None
        assert found.manifest.swap["plates"] == [digest_footage(show / "pictures" / name)]


def test_what_cannot_be_signed_is_not_written_and_what_is_switched_off_leaves_no_old_manifest(
    show: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = show / "project"
    add(project, "Anna", Terms(USES))
    for out in (project / "back.mkv", project / "back"):
        run(invert=show / "of frames", out=out)
    assert {v.state for v in (one(project / "back.mkv"), one(project / "back"))} == {"own"}
    switch(project, False, "the client signs")
    for out in (project / "back.mkv", project / "back"):
        run(invert=show / "of frames", out=out)
    assert not list(project.rglob("*.c2pa")) and one(project / "back.mkv").state == "none"
    monkeypatch.setenv("FACEPLATE_CREDENTIALS", str(show / "none.toml"))
    for out in (show / "never.mkv", show / "never"):
        with pytest.raises(CredentialsError, match="does not exist"):
            run(invert=show / "of movie", out=out)
        assert not out.exists()
