"""A time-stamp server says when something was signed; one that does not answer costs no result."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from nodes.credentials.identity import load_identity, load_trust
from nodes.credentials.sign import sign_made
from nodes.credentials.verify import verify
from tests.support.signing import Authority, apart, claim, configure, key_pem, movie, write_picture
from tests.support.time_stamps import Stamper, time_stamp_server

THEN = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=2)


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch, tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_the_time_is_the_servers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.new()
    stamper = Stamper(authority, THEN)
    path = (movie if name.endswith("mkv") else write_picture)(tmp_path / name)
    with time_stamp_server(stamper) as address:
        more = f'time_stamp = "{address}"\ntrust = ["root.pem"]\n'
        configure(tmp_path / "studio", monkeypatch, authority, more=more)
        assert sign_made(path, claim(), load_identity()).stamped
    assert stamper.asked == 1
    (found,) = verify(path, load_trust())
    assert (found.state, found.faults) == ("trusted", ())
    assert dt.datetime.fromisoformat(found.manifest.time) == THEN and found.time_trusted


def test_the_time_of_a_server_that_nobody_knows_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_stamp_server(Stamper(Authority.new("A stranger"), THEN)) as address:
        more = f'time_stamp = "{address}"\ntrust = ["root.pem"]\n'
        configure(tmp_path / "studio", monkeypatch, Authority.new(), more=more)
        path = sign_made(write_picture(tmp_path / "a.png"), claim(), load_identity()).file
    (found,) = verify(path, load_trust())
    assert found.state == "trusted" and found.manifest.time and not found.time_trusted


def test_a_server_that_does_not_answer_costs_no_result_and_the_result_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with time_stamp_server(Stamper(Authority.new(), THEN)) as address:
        pass
    configure(tmp_path / "studio", monkeypatch, Authority.new(), more=f'time_stamp = "{address}"\n')
    path = write_picture(tmp_path / "a.png")
    assert not sign_made(path, claim(), load_identity()).stamped
    (found,) = verify(path, load_trust())
    assert found.state == "unknown" and found.manifest.time is None


def test_a_server_that_answers_nonsense_costs_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamper = Stamper(Authority.new(), THEN)
    stamper.answer = lambda request: b"nonsense"  # type: ignore[method-assign]
    with time_stamp_server(stamper) as address:
        configure(tmp_path / "studio", monkeypatch, Authority.new(), more=f'time_stamp = "{address}"\n')
        path = movie(tmp_path / "a.mkv")
        assert not sign_made(path, claim(), load_identity()).stamped
    assert verify(path, load_trust())[0].state == "unknown"


def openssl_answers(folder: Path, authority: Authority) -> Callable[[bytes], bytes]:
    """OpenSSL's own time-stamp server, which shares no code with what asks and with what verifies."""
    key, certificate = authority.issue("OpenSSL's server", ExtendedKeyUsageOID.TIME_STAMPING)
    folder.mkdir()
    (folder / "key.pem").write_text(key_pem(key))
    (folder / "signer.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "ts.cnf").write_text(
        "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ncrypto_device = builtin\nsigner_cert = signer.pem\n"
        "signer_key = key.pem\nsigner_digest = sha256\ndefault_policy = 1.3.6.1.4.1.99999.2\ndigests = sha256, sha384, sha512\n"
        "accuracy = secs:1\nclock_precision_digits = 0\nordering = no\ntsa_name = yes\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n"
    )

    def answer(request: bytes) -> bytes:
        (folder / "request").write_bytes(request)
        told = ["-queryfile", "request", "-config", "ts.cnf", "-section", "one", "-out", "reply"]
        subprocess.run(["openssl", "ts", "-reply", *told], cwd=folder, check=True, capture_output=True)
        return (folder / "reply").read_bytes()

    return answer


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize("name", ["a.png", "a.mkv"])
def test_the_time_of_an_independent_server_holds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.new()
    stamper = Stamper(authority, THEN)
    stamper.answer = openssl_answers(tmp_path / "server", authority)  # type: ignore[method-assign]
    path = (movie if name.endswith("mkv") else write_picture)(tmp_path / name)
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with time_stamp_server(stamper) as address:
        more = f'time_stamp = "{address}"\ntrust = ["root.pem"]\n'
        configure(tmp_path / "studio", monkeypatch, authority, more=more)
        assert sign_made(path, claim(), load_identity()).stamped
    (found,) = verify(path, load_trust())
    assert (found.state, found.faults) == ("trusted", ())
    assert before <= dt.datetime.fromisoformat(found.manifest.time) <= dt.datetime.now(dt.UTC) and found.time_trusted
