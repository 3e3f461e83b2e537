"""Files to sign, claims to sign them with, and certificates of productions, for the tests of Content Credentials."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nodes.consent.provenance import PerformerPart, Provenance
from nodes.credentials.manifest import Claim
from tests.support.clips import write_movie


def apart(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Keys and configuration of a user who was never here before."""
    monkeypatch.setenv("FACEPLATE_KEYS", str(folder / "keys"))
    monkeypatch.setattr("nodes.credentials.identity.user_config_path", lambda *_, **__: folder / "config")
    monkeypatch.delenv("FACEPLATE_CREDENTIALS", raising=False)
    return folder


def claim(part: str = "composite", **changes) -> Claim:
    """What is said of a result with two performers and a model that was shown the source."""
    who = (
        PerformerPart(id="p-1", role="target", consents=("c-1",)),
        PerformerPart(id="p-2", role="source", consents=("c-2", "c-3")),
    )
    told = {
        "when": "2026-11-23T12:00:00Z",
        "plate": "ab" * 32,
        "given": ("cd" * 32,),
        "models": ("ef" * 32,),
        "provenance": Provenance(performers=who, footage=("cd" * 32,)),
    }
    return Claim(part, **told | changes)


def picture(seed: int = 0, depth: str = "uint8", size: tuple[int, int] = (72, 128)) -> np.ndarray:
    """Noise, [H, W, 3]."""
    top = 255 if depth == "uint8" else 65535
    return np.random.default_rng(seed).integers(0, top, (*size, 3)).astype(depth)


def write_picture(path: Path, seed: int = 0, depth: str = "uint8") -> Path:
    pixels = picture(seed, depth)
    path.parent.mkdir(parents=True, exist_ok=True)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), oiio.ImageSpec(pixels.shape[1], pixels.shape[0], 3, depth))
    assert output.write_image(pixels)
    output.close()
    return path


def read_picture(path: Path) -> np.ndarray:
    found = oiio.ImageInput.open(str(path))
    pixels = found.read_image(found.spec().format)
    found.close()
    return pixels


def write_frames(folder: Path, count: int = 6, first: int = 1001, suffix: str = ".png") -> list[Path]:
    """Images `composite.1001.png` and on."""
    return [write_picture(folder / f"composite.{first + i:04d}{suffix}", i) for i in range(count)]


def movie(path: Path, count: int = 12) -> Path:
    return write_movie(path, (np.roll(picture(), 4 * i, 1) for i in range(count)))


def flip(path: Path, at: float = 0.5) -> Path:
    """Change one bit of a file, at this part of its length."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)
    return path


@dataclass(frozen=True)
class Authority:
    """A root that issues certificates, as a production or a time-stamp server has them from somebody."""

    name: str
    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str = "A trusted authority") -> Authority:
        key = generate_private_key(SECP256R1())
        return cls(name, key, _certificate(name, name, key, key, None))

    def issue(
        self, name: str, usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.EMAIL_PROTECTION, days: int = 365
    ) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
        key = generate_private_key(SECP256R1())
        return key, _certificate(name, self.name, key, self.key, usage, days, ca=False)

    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def configure(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    authority: Authority,
    name: str = "A studio",
    more: str = "",
    **issued: object,
) -> Path:
    """The configuration of a production with a certificate of its own, and the folder that it lies in."""
    key, certificate = authority.issue(name, **issued)
    folder.mkdir(exist_ok=True)
    (folder / "studio.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "studio.key").write_text(key_pem(key))
    (folder / "studio.key").chmod(0o600)
    (folder / "root.pem").write_text(authority.pem())
    told = f'certificate = "studio.pem"\nprivate_key = "studio.key"\n{more}'
    (folder / "credentials.toml").write_text(told)
    monkeypatch.setenv("FACEPLATE_CREDENTIALS", str(folder / "credentials.toml"))
    return folder


def _certificate(
    name: str,
    issuer: str,
    key: EllipticCurvePrivateKey,
    by: EllipticCurvePrivateKey,
    usage: x509.ObjectIdentifier | None,
    days: int = 3650,
    *,
    ca: bool = True,
) -> x509.Certificate:
    now, other = dt.datetime.now(dt.UTC), [False] * 4
    built = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.KeyUsage(not ca, *other, ca, ca, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if usage is not None:
        # RFC 3161 wants that of a time-stamp server to be critical.
        built = built.add_extension(x509.ExtendedKeyUsage([usage]), usage == ExtendedKeyUsageOID.TIME_STAMPING)
    return built.sign(by, SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, common), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )
