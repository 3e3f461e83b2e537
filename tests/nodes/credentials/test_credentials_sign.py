"""Content Credentials: what is signed, with which certificate, and that others can read it."""

from __future__ import annotations

import hashlib
import io
import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from nodes.consent.provenance import Provenance
from nodes.credentials.identity import load_identity, local_file, local_root, read_configuration
from nodes.credentials.library import carried
from nodes.credentials.manifest import BY_HAND, COMPOSITE, WITH_MODEL, definition, plate_ingredient
from nodes.credentials.sign import ready, sign_made
from nodes.errors import CredentialsError, FootageError
from tests.support.clips import decoded
from tests.support.signing import (
    Authority,
    apart,
    claim,
    configure,
    movie,
    read_picture,
    write_frames,
    write_picture,
)

KINDS = {"png": "image/png", "tif": "image/tiff", "jpg": "image/jpeg", "mp4": "video/mp4", "mov": "video/quicktime"}


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)


def by_library(kind: str, stream: io.BufferedIOBase, manifest: bytes | None, *roots: str) -> c2pa.Reader:
    """The library's own reader with its own trust settings, as any other C2PA tool has it."""
    settings = {"verify": {"remote_manifest_fetch": False}}
    if roots:
        settings["trust"] = {"user_anchors": "\n".join(roots)}
    return c2pa.Reader(kind, stream, manifest, context=c2pa.Context.from_dict(settings))


def codes(reader: c2pa.Reader, which: str = "failure") -> list[str]:
    return [found["code"] for found in reader.get_validation_results()["activeManifest"][which]]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.mp4", "a.mov"])
def test_what_can_carry_a_manifest_does_and_the_library_trusts_it_with_our_root_and_not_without(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    (write_picture if path.suffix in (".png", ".tif", ".jpg") else movie)(path)
    told = sign_made(path, claim(), load_identity())
    assert told.sidecar is None and not told.stamped
    kind = KINDS[path.suffix[1:]]
    with path.open("rb") as file:
        assert by_library(kind, file, None, local_root()).get_validation_state() == "Trusted"
    with path.open("rb") as file:
        reader = by_library(kind, file, None)
        assert reader.get_validation_state() == "Valid"
        assert codes(reader) == ["signingCredential.untrusted"]


@pytest.mark.parametrize(("name", "depth"), [("a.png", "uint8"), ("a.png", "uint16"), ("a.tif", "uint16")])
def test_signing_a_picture_keeps_every_pixel(name: str, depth: str, tmp_path: Path) -> None:
    path = write_picture(tmp_path / name, depth=depth)
    before = read_picture(path)
    sign_made(path, claim("still"), load_identity())
    assert np.array_equal(read_picture(path), before)


def test_signing_a_movie_keeps_every_picture(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.mp4")
    before = decoded(path)
    sign_made(path, claim("preview"), load_identity())
    assert decoded(path) == before


def test_a_file_that_carries_none_gets_a_manifest_beside_it_that_the_library_reads_with_the_file(
    tmp_path: Path,
) -> None:
    path = movie(tmp_path / "composite.mkv")
    before = path.read_bytes()
    told = sign_made(path, claim(), load_identity())
    assert told.sidecar == tmp_path / "composite.c2pa" and path.read_bytes() == before
    with path.open("rb") as file:
        reader = by_library("video/x-matroska", file, told.sidecar.read_bytes(), local_root())
    assert reader.get_validation_state() == "Trusted"
    assert "assertion.dataHash.match" in codes(reader, "success")


def test_a_sequence_gets_one_manifest_that_the_library_checks_against_the_output_of_sha256sum(tmp_path: Path) -> None:
    files = write_frames(tmp_path / "composite", suffix=".exr")
    told = sign_made(files, claim(), load_identity())
    assert told.sidecar == tmp_path / "composite" / "composite.c2pa"
    assert {f.name for f in (tmp_path / "composite").iterdir()} == {"composite.c2pa", *(f.name for f in files)}
    text = "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files)
    reader = by_library("text/plain", io.BytesIO(text.encode()), told.sidecar.read_bytes(), local_root())
    assert reader.get_validation_state() == "Trusted"
    changed = text.replace("composite.1003", "composite.1004")
    other = by_library("text/plain", io.BytesIO(changed.encode()), told.sidecar.read_bytes(), local_root())
    assert other.get_validation_state() == "Invalid" and "assertion.dataHash.mismatch" in codes(other)


def test_a_sidecar_alone_tells_what_it_says(tmp_path: Path) -> None:
    told = sign_made(write_frames(tmp_path), claim(), load_identity())
    with told.sidecar.open("rb") as file:
        reader = by_library("application/c2pa", file, None)
    assert reader.get_active_manifest()["title"] == "composite"


def actions(manifest: dict) -> list[dict]:
    return next(a["data"]["actions"] for a in manifest["assertions"] if a["label"] == "c2pa.actions.v2")


def swap(manifest: dict) -> dict:
    return next(a["data"] for a in manifest["assertions"] if a["label"] == "org.faceplate.swap")


def test_a_swap_by_a_model_is_an_edit_of_the_plate_with_generative_ai() -> None:
    told = definition(claim())
    opened, edited = actions(told)
    assert opened == {"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}}
    assert edited["action"] == "c2pa.edited" and edited["digitalSourceType"] == WITH_MODEL
    assert WITH_MODEL.endswith("/compositeWithTrainedAlgorithmicMedia")
    relations = {i["title"]: (i["relationship"], i["instance_id"]) for i in told["ingredients"]}
    assert relations == {
        "plate": ("parentOf", "faceplate:digest:" + "ab" * 32),
        "shown": ("inputTo", "faceplate:digest:" + "cd" * 32),
        "model": ("inputTo", "sha256:" + "ef" * 32),
    }


def test_a_swap_without_a_trained_model_is_a_composite_in_which_the_source_was_placed() -> None:
    told = definition(claim(placed=("cd" * 32,), given=(), models=()))
    assert [a["action"] for a in actions(told)] == ["c2pa.opened", "c2pa.placed", "c2pa.edited"]
    assert actions(told)[2]["digitalSourceType"] == COMPOSITE
    assert {i["title"]: i["relationship"] for i in told["ingredients"]} == {
        "plate": "parentOf",
        "source": "componentOf",
    }


def test_a_shot_with_several_people_names_all_sources_and_models() -> None:
    told = definition(claim(placed=("aa" * 32, "bb" * 32), models=("ee" * 32, "ff" * 32)))
    titles = [i["title"] for i in told["ingredients"]]
    assert titles == ["plate", "source", "source 2", "shown", "model", "model 2"]
    *_, edited = actions(told)
    assert edited["parameters"]["ingredientIds"] == ["shown", "model", "model 2"]
    assert edited["digitalSourceType"] == WITH_MODEL


def test_an_artists_hand_is_an_action_of_its_own() -> None:
    *_, last = actions(definition(claim(touched=("roto",))))
    assert last["digitalSourceType"] == BY_HAND and "roto" in last["description"]


def test_the_copy_of_the_plate_says_that_nothing_was_replaced_in_it() -> None:
    told = definition(claim("plate"))
    assert [a["action"] for a in actions(told)] == ["c2pa.opened", "c2pa.transcoded"]
    assert not any("digitalSourceType" in a for a in actions(told))
    assert [i["title"] for i in told["ingredients"]] == ["plate"]


def test_a_manifest_names_consents_by_their_records_and_nobody_by_name_or_path(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "Zoltan" / "Zoltan Kodaly take 3.png")
    sign_made(path, claim("still"), load_identity())
    with path.open("rb") as file:
        reader = by_library("image/png", file, None)
    assert swap(reader.get_active_manifest())["consents"] == [
        {"role": "target", "records": ["c-1"]},
        {"role": "source", "records": ["c-2", "c-3"]},
    ]
    for word in ("Zoltan", "Kodaly", str(tmp_path), "p-1"):
        assert word.encode() not in path.read_bytes()


def test_a_model_that_does_not_say_whom_it_was_trained_on_is_named_in_the_manifest() -> None:
    told = definition(claim(provenance=Provenance(unknown=("12" * 32,))))
    assert swap(told)["unknown"] == ["12" * 32] and swap(told)["consents"] == []


def test_a_plates_own_credentials_go_on_with_what_is_made_from_it(tmp_path: Path) -> None:
    plate = movie(tmp_path / "camera.mp4")
    sign_made(plate, claim("plate"), load_identity())
    told = carried(plate, plate_ingredient("ab" * 32))
    path = write_picture(tmp_path / "a.png")
    sign_made(path, claim("still", carried=told), load_identity())
    with path.open("rb") as file:
        reader = by_library("image/png", file, None, local_root())
    assert reader.get_validation_state() == "Trusted"
    found = json.loads(reader.json())
    (parent,) = [i for i in reader.get_active_manifest()["ingredients"] if i["relationship"] == "parentOf"]
    assert parent["active_manifest"] in found["manifests"] and len(found["manifests"]) == 2


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "missing.mp4"])
def test_a_plate_without_credentials_carries_none(name: str, tmp_path: Path) -> None:
    if not name.startswith("missing"):
        movie(tmp_path / name)
    assert carried(tmp_path / name, plate_ingredient("ab" * 32)) is None


def test_a_certificate_is_made_once_for_the_user_alone_and_names_neither_user_nor_machine() -> None:
    assert local_root() is None
    first = load_identity()
    assert first.local and load_identity().fingerprint == first.fingerprint
    assert stat.S_IMODE(local_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(local_file().parent.stat().st_mode) == 0o700
    assert first.name.startswith("Faceplate local certificate ") and first.name.endswith(" signer")
    assert first.key not in repr(first)


def test_a_certificate_file_of_an_earlier_faceplate_with_the_roots_key_is_read(tmp_path: Path) -> None:
    identity, root = load_identity(), local_root()
    key = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    local_file().write_bytes(key + local_file().read_bytes())
    assert load_identity() == identity and local_root() == root
    leaf, authority = (x509.load_pem_x509_certificate(pem.encode()) for pem in (identity.chain, root or ""))
    leaf.verify_directly_issued_by(authority)


def test_a_key_that_others_can_read_signs_nothing(tmp_path: Path) -> None:
    load_identity()
    local_file().chmod(0o640)
    with pytest.raises(CredentialsError, match=r"others than you may read.*chmod 600"):
        load_identity()


def test_many_processes_that_sign_first_at_once_have_one_certificate() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({identity.fingerprint for identity in pool.map(lambda _: load_identity(), range(8))}) == 1


def test_a_place_where_no_certificate_can_be_made_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEPLATE_KEYS", str(tmp_path / "file" / "keys"))
    with pytest.raises(CredentialsError, match=r"cannot be made.*FACEPLATE_KEYS"):
        load_identity()


@pytest.mark.parametrize("damage", [lambda data: data[:700], lambda data: data.replace(b"MII", b"AAA")])
def test_a_damaged_certificate_file_says_what_to_do(damage: Callable[[bytes], bytes]) -> None:
    load_identity()
    local_file().write_bytes(damage(local_file().read_bytes()))
    with pytest.raises(CredentialsError, match=r"is damaged.*Restore it"):
        load_identity()


def test_a_production_signs_with_its_own_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.new()
    configure(tmp_path / "studio", monkeypatch, authority)
    identity = load_identity()
    assert identity.name == "A studio" and not identity.local and not local_file().exists()
    path = write_picture(tmp_path / "a.png")
    sign_made(path, claim("still"), identity)
    with path.open("rb") as file:
        reader = by_library("image/png", file, None, authority.pem())
    assert reader.get_validation_state() == "Trusted"
    assert reader.get_active_manifest()["signature_info"]["common_name"] == "A studio"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "studio.key").chmod(0o644), "others than you may read"),
        (lambda f: (f / "studio.key").unlink(), "cannot be read"),
        (lambda f: (f / "studio.pem").write_text("nothing"), "holds no certificate"),
        (lambda f: (f / "studio.key").write_text("nothing"), "is no private key"),
        (lambda f: (f / "studio.pem").write_text(Authority.new().pem()), "is not the key of the first certificate"),
        (lambda f: (f / "credentials.toml").write_text('certificate = "studio.pem"'), "go together"),
        (lambda f: (f / "credentials.toml").write_text('time_stamp = "ftp://x"'), "time_stamp.*no http address"),
        (lambda f: (f / "credentials.toml").write_text("tim_stamp = 1"), "tim_stamp"),
        (lambda f: (f / "credentials.toml").write_text("= ="), "cannot be read"),
        (lambda f: (f / "credentials.toml").unlink(), "does not exist.*FACEPLATE_CREDENTIALS"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_why(
    change, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configure(tmp_path / "studio", monkeypatch, Authority.new())
    change(folder)
    with pytest.raises(CredentialsError, match=said):
        load_identity()


def test_what_signs_is_tried_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready(None).local
    configure(tmp_path / "studio", monkeypatch, Authority.new())
    assert ready(None).name == "A studio"


@pytest.mark.parametrize(
    ("issued", "said"),
    [
        ({"usage": ExtendedKeyUsageOID.SERVER_AUTH}, "the certificate is invalid"),
        ({"days": -1}, "not valid at time of signing"),
    ],
)
def test_a_certificate_that_cannot_sign_is_refused_before_the_work(
    issued: dict, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path / "studio", monkeypatch, Authority.new(), **issued)
    with pytest.raises(CredentialsError, match=rf"'A studio' cannot sign: .*{said}.*emailProtection"):
        ready(None)


def test_a_configuration_in_the_users_own_folder_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "credentials.toml").write_text('time_stamp = "https://example.com"\ntrust = ["partner.pem"]\n')
    found = read_configuration()
    assert found.time_stamp == "https://example.com" and found.trust == (folder / "partner.pem",)


def test_a_file_that_is_not_there_is_not_signed_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"gone\.mkv: cannot be read"):
        sign_made(tmp_path / "gone.mkv", claim(), load_identity())
    assert not list(tmp_path.glob("gone*"))


def test_a_file_that_is_not_what_its_name_says_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(CredentialsError, match="cannot be signed"):
        sign_made(path, claim(), load_identity())
    assert path.read_bytes() == b"not a picture" and [f.name for f in tmp_path.iterdir() if f.is_file()] == ["a.png"]
