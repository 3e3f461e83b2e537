"""Verifying: whatever was changed, removed, added, exchanged or signed by somebody else shows, and is said in plain words."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import c2pa
import pytest

from nodes.credentials.identity import Identity, load_identity, load_trust, local_root
from nodes.credentials.manifest import definition
from nodes.credentials.sign import forget, sign_made
from nodes.credentials.verdict import Verdict
from nodes.credentials.verify import verify
from nodes.errors import CredentialsError, FootageError
from nodes.footage.formats import EMBEDS
from tests.support.signing import Authority, apart, claim, configure, flip, key_pem, movie, write_frames, write_picture


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A signed sequence of six images, composite.1001.png and on, in a folder of its own."""
    folder = tmp_path / "composite"
    sign_made(write_frames(folder), claim(), load_identity())
    return folder


def one(path: Path, *trust: Path) -> Verdict:
    (found,) = verify(path, load_trust(trust))
    return found


def frame(folder: Path, number: int) -> Path:
    return folder / f"composite.{number}.png"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.mp4", "a.mov", "a.mkv"])
def test_what_was_signed_here_is_intact_and_a_flipped_bit_shows(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (movie if path.suffix in (".mp4", ".mov", ".mkv") else write_picture)(path)
    sign_made(path, claim(), load_identity())
    assert (one(path).state, one(path).faults) == ("own", ())
    assert one(path).manifest.swap["consents"][0] == {"role": "target", "records": ["c-1"]}
    flip(path, 0.8)
    assert one(path).state == "changed"
    assert "changed after it was signed, or the manifest is that of another file" in one(path).faults[0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.mp4", "a.mkv"])
@pytest.mark.parametrize("left", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_not_intact(name: str, left: float, tmp_path: Path) -> None:
    path = tmp_path / name
    (movie if path.suffix in (".mp4", ".mkv") else write_picture)(path)
    sign_made(path, claim(), load_identity())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
    assert one(path).state == "changed" and one(path).faults


def test_a_sequence_is_intact_by_its_folder_its_pattern_its_manifest_and_each_frame(frames: Path) -> None:
    for path in (frames, frames / "composite.%04d.png", frames / "composite.c2pa"):
        assert (one(path).state, one(path).frames, one(path).file) == ("own", 6, frame(frames, 1001))
    assert (one(frame(frames, 1003)).state, one(frame(frames, 1003)).frames) == ("own", 1)


def exchange(a: Path, b: Path) -> None:
    aside = a.with_name("aside")
    a.rename(aside)
    b.rename(a)
    aside.rename(b)


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda f: flip(frame(f, 1002)), "a frame was changed after signing: composite.1002.png"),
        (lambda f: frame(f, 1006).unlink(), "a frame was removed: composite.1006.png"),
        (lambda f: frame(f, 1001).unlink(), "a frame was removed: composite.1001.png"),
        (lambda f: shutil.copy(frame(f, 1001), frame(f, 1007)), "a frame was added: composite.1007.png"),
        (
            lambda f: exchange(frame(f, 1002), frame(f, 1005)),
            "2 frames were exchanged for other frames of the sequence: composite.1002.png, composite.1005.png",
        ),
        (
            lambda f: shutil.copy(frame(f, 1002), frame(f, 1003)),
            "a frame was exchanged for other frames of the sequence: composite.1003.png",
        ),
        (lambda f: frame(f, 1004).write_bytes(b""), "a frame was changed after signing: composite.1004.png"),
    ],
)
def test_a_sequence_that_was_touched_says_which_frames(
    tamper: Callable[[Path], object], said: str, frames: Path
) -> None:
    tamper(frames)
    assert (one(frames / "composite.c2pa").state, one(frames / "composite.c2pa").faults) == ("changed", (said,))
    assert one(frames / "composite.%04d.png").faults == (said,)


def test_a_frame_alone_is_verified_by_its_sequences_manifest(frames: Path) -> None:
    flip(frame(frames, 1002))
    assert one(frame(frames, 1002)).state == "changed"
    assert one(frame(frames, 1003)).state == "own"
    shutil.copy(frame(frames, 1003), frame(frames, 1004))
    assert one(frame(frames, 1004)).faults == (
        "a frame was exchanged for other frames of the sequence: composite.1004.png",
    )


def test_many_changed_frames_are_counted_and_five_named(tmp_path: Path) -> None:
    files = write_frames(tmp_path, 9)
    sign_made(files, claim(), load_identity())
    for file in files:
        flip(file)
    (said,) = one(tmp_path / "composite.c2pa").faults
    assert said.startswith("9 frames were changed after signing: composite.1001.png, ") and said.endswith(" and 4 more")


def test_a_manifest_of_another_file_fits_neither_a_movie_nor_a_sequence(tmp_path: Path, frames: Path) -> None:
    for name in ("a.mkv", "b.mkv"):
        movie(tmp_path / name, 12 if name == "a.mkv" else 9)
        sign_made(tmp_path / name, claim(), load_identity())
    shutil.copy(tmp_path / "b.c2pa", tmp_path / "a.c2pa")
    assert "the manifest is that of another file" in one(tmp_path / "a.mkv").faults[0]
    shutil.copy(tmp_path / "b.c2pa", frames / "composite.c2pa")
    assert one(frames / "composite.%04d.png").faults == ("the manifest beside it is that of another file",)
    other = tmp_path / "other"
    sign_made(write_frames(other, 3, 2001), claim(), load_identity())
    shutil.copy(other / "composite.c2pa", frames / "composite.c2pa")
    assert any("3 frames were removed: composite.2001.png" in fault for fault in one(frames / "composite.c2pa").faults)


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.6, 0.75])
def test_a_manifest_that_was_changed_is_never_believed(at: float, frames: Path) -> None:
    flip(frames / "composite.c2pa", at)
    assert one(frames / "composite.%04d.png").state == "changed"


@pytest.mark.parametrize("left", [0, 10, 500, 3000])
def test_a_manifest_that_was_cut_off_is_said_to_be_damaged(left: int, frames: Path) -> None:
    sidecar = frames / "composite.c2pa"
    sidecar.write_bytes(sidecar.read_bytes()[:left])
    assert one(sidecar).state == "changed" and "damaged or cut off" in one(sidecar).faults[0]


def with_a_wrong_key() -> Identity:
    """A certificate with somebody else's key."""
    mine, other = load_identity(), Authority.new().issue("Somebody")[0]
    return Identity(mine.chain, key_pem(other), "es256", local=True)


@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_a_signature_with_a_key_that_is_not_the_certificates_does_not_count(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (movie if name.endswith("mkv") else write_picture)(path)
    sign_made(path, claim(), with_a_wrong_key())
    assert one(path).state == "changed"
    assert "signed with a key that is not the certificate's" in one(path).faults[0]


def test_a_stranger_who_signs_anew_is_intact_but_unknown_until_the_root_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sign_made(write_picture(tmp_path / "a.png"), claim(), load_identity()).file
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "another user"))
    assert one(path).state == "unknown" and one(path).intact and not one(path).faults
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "keys"))
    root = tmp_path / "root.pem"
    root.write_text(local_root())
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "another user"))
    assert one(path, root).state == "trusted"
    with pytest.raises(CredentialsError, match="holds no certificate to trust"):
        one(path, path.with_name("nothing.pem"))


def test_a_certificate_of_the_same_name_from_elsewhere_is_not_taken_for_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = load_identity().name
    configure(tmp_path / "studio", monkeypatch, Authority.new(name.removesuffix(" signer")), name)
    path = sign_made(write_picture(tmp_path / "a.png"), claim(), load_identity()).file
    assert one(path).manifest.signer == name and one(path).state == "unknown"


def test_a_productions_root_in_the_configuration_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = configure(tmp_path / "studio", monkeypatch, Authority.new(), more='trust = ["root.pem"]\n')
    path = sign_made(write_picture(tmp_path / "a.png"), claim(), load_identity()).file
    assert (one(path).state, one(path).manifest.signer) == ("trusted", "A studio")
    assert folder.is_dir()


def test_a_configuration_beside_the_footage_is_not_asked_whom_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configure(tmp_path / "theirs", monkeypatch, Authority.new(), more='trust = ["root.pem"]\n')
    path = sign_made(write_picture(folder / "a.png"), claim(), load_identity()).file
    monkeypatch.delenv("FACEPLATE_CREDENTIALS")
    monkeypatch.chdir(folder)
    assert one(path).state == "unknown"


def test_a_file_without_credentials_says_so(tmp_path: Path) -> None:
    for path in (write_picture(tmp_path / "a.png"), movie(tmp_path / "a.mkv"), movie(tmp_path / "b.mp4")):
        assert (one(path).state, one(path).faults) == ("none", ())


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg"])
def test_a_manifest_that_another_tool_has_put_beside_a_file_is_read(name: str, tmp_path: Path) -> None:
    path = (movie if name.endswith("mp4") else write_picture)(tmp_path / name)
    identity = load_identity()
    told = {"assertions": [a for a in definition(claim("plate"))["assertions"] if a["label"] == "c2pa.actions.v2"]}
    told["ingredients"] = definition(claim("plate"))["ingredients"]
    info = c2pa.C2paSignerInfo("es256", identity.chain.encode(), identity.key.encode(), None)
    signed = io.BytesIO()
    with path.open("rb") as file, c2pa.Builder(told) as builder:
        builder.set_no_embed()
        manifest = builder.sign(c2pa.Signer.from_info(info), EMBEDS[path.suffix], file, signed)
    path.write_bytes(signed.getvalue())
    (tmp_path / "a.c2pa").write_bytes(manifest)
    assert (one(path).state, one(path).faults) == ("own", ())
    assert one(tmp_path / "a.c2pa").state == "own"
    flip(path)
    assert one(path).state == "changed"


def test_a_manifest_taken_out_of_a_file_with_one_beside_it_shows(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png")
    bare = path.read_bytes()
    sign_made(path, claim(), load_identity())
    exr = write_picture(tmp_path / "b.exr")
    shutil.copy(sign_made(exr, claim(), load_identity()).sidecar, tmp_path / "a.c2pa")
    path.write_bytes(bare)
    assert one(path).state == "changed" and one(path).faults[0] == "the manifest that was in the file is gone"


@pytest.mark.parametrize("second", ["a.avi", "A.avi", "a.dpx", "a.mp4"])
def test_files_of_one_name_keep_a_manifest_each(second: str, tmp_path: Path) -> None:
    first, other = movie(tmp_path / "a.mkv"), tmp_path / second
    usual = sign_made(first, claim(), load_identity()).sidecar
    assert usual == tmp_path / "a.c2pa"
    other.write_bytes(movie(tmp_path / f"made{other.suffix}").read_bytes() if other.suffix != ".dpx" else bytes(900))
    assert [one(first).state, one(other).state, one(usual).file] == ["own", "none", first]
    kept = usual.read_bytes()
    signed = sign_made(other, claim(), load_identity())
    assert signed.sidecar == (None if second == "a.mp4" else tmp_path / f"{second}.c2pa")
    assert [one(first).state, one(other).state] == ["own", "own"] and usual.read_bytes() == kept
    verdicts = {v.file.name: v.state for v in verify(tmp_path, load_trust())}
    assert verdicts.pop(first.name) == verdicts.pop(other.name, "own") == "own" and not verdicts
    flip(other)
    assert [one(first).state, one(other).state] == ["own", "changed"]
    forget(other)
    assert usual.exists() and not (tmp_path / f"{second}.c2pa").exists()


def test_a_file_that_is_signed_again_has_one_manifest(tmp_path: Path) -> None:
    for length in (12, 9):
        sign_made(movie(tmp_path / "a.mkv", length), claim(), load_identity())
        assert one(tmp_path / "a.mkv").state == "own"
    assert sorted(f.name for f in tmp_path.glob("a*")) == ["a.c2pa", "a.mkv"]


def test_sequences_and_a_movie_of_one_name_in_one_folder_keep_a_manifest_each(frames: Path) -> None:
    pictures = write_frames(frames, suffix=".tif")
    film = movie(frames / "composite.mkv")
    assert one(film).state == one(frames / "composite.%04d.tif").state == one(pictures[0]).state == "none"
    sign_made(pictures, claim(), load_identity())
    sign_made(film, claim(), load_identity())
    assert {f.name for f in frames.glob("*.c2pa")} == {"composite.c2pa", "composite.tif.c2pa", "composite.mkv.c2pa"}
    for subject in (
        film,
        frames / "composite.%04d.tif",
        frames / "composite.%04d.png",
        pictures[2],
        frame(frames, 1002),
    ):
        assert one(subject).state == "own", subject
    assert {v.state for v in verify(frames, load_trust())} == {"own"}
    flip(pictures[2], 0.6)
    assert [one(frames / f"composite.%04d{kind}").state for kind in (".tif", ".png")] == ["changed", "own"]


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A shot's folder with a movie, a preview and a sequence, signed, and a document that says so."""
    folder = tmp_path / "shot"
    folder.mkdir()
    identity = load_identity()
    sign_made(movie(folder / "composite.mkv"), claim(), identity)
    sign_made(movie(folder / "preview.mp4"), claim("preview"), identity)
    sign_made(write_frames(folder / "composite"), claim(), identity)
    results = [
        {"file": "composite.mkv", "manifest": "composite.c2pa"},
        {"file": "preview.mp4", "manifest": "preview.mp4"},
        {"file": "composite", "manifest": "composite/composite.c2pa"},
    ]
    (folder / "shot.json").write_text(json.dumps({"schema": "faceplate.shot/1", "credentials": {"results": results}}))
    return folder


def states(folder: Path) -> dict[str, str]:
    return {v.file.relative_to(folder).as_posix(): v.state for v in verify(folder, load_trust())}


def test_a_shots_folder_is_verified_at_once(shot: Path) -> None:
    assert states(shot) == {"composite.mkv": "own", "preview.mp4": "own", "composite/composite.1001.png": "own"}


def strip(path: Path) -> None:
    """Write the movie again, as an upload somewhere does."""
    movie(path)


@pytest.mark.parametrize(
    ("tamper", "file", "state"),
    [
        (lambda f: (f / "composite.c2pa").unlink(), "composite.mkv", "removed"),
        (lambda f: strip(f / "preview.mp4"), "preview.mp4", "removed"),
        (lambda f: (f / "composite" / "composite.c2pa").unlink(), "composite", "removed"),
        (lambda f: (f / "composite.mkv").unlink(), "composite.mkv", "removed"),
        (lambda f: flip(f / "composite.mkv"), "composite.mkv", "changed"),
        (lambda f: shutil.copy(f / "composite.c2pa", f / "composite" / "composite.c2pa"), "composite", "changed"),
    ],
)
def test_what_was_stripped_of_its_manifest_is_known_from_the_shots_document(
    tamper: Callable[[Path], object], file: str, state: str, shot: Path
) -> None:
    tamper(shot)
    found = states(shot)
    assert found.pop(file) == state and set(found.values()) == {"own"}
    if (shot / file).is_file():
        assert one(shot / file).state == state


def test_a_document_that_points_out_of_its_folder_is_not_followed(shot: Path, tmp_path: Path) -> None:
    results = [{"file": "../elsewhere.mkv", "manifest": "../elsewhere.c2pa"}]
    (shot / "shot.json").write_text(json.dumps({"credentials": {"results": results}}))
    assert "../elsewhere.mkv" not in states(shot)


def test_paths_with_nothing_to_verify_say_so(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"gone\.png: does not exist"):
        one(tmp_path / "gone.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FootageError, match="holds nothing that could be verified"):
        verify(tmp_path / "empty", load_trust())
    sidecar = sign_made(movie(tmp_path / "a.mkv"), claim(), load_identity()).sidecar
    (tmp_path / "a.mkv").unlink()
    with pytest.raises(FootageError, match="lies beside no file of its name"):
        one(sidecar)
    assert one(tmp_path / "frames.%04d.exr").state == "none"
