"""The certificate that signs results, and the roots that this user trusts: configured in a TOML file of the user's, never of a project's.

A project may come from a stranger, who must not choose whom this user trusts, nor where this machine calls.

    certificate = "studio.pem"                     # the chain, the signing certificate first
    private_key = "studio.key"                     # PEM, readable by you alone
    time_stamp = "https://timestamp.example.com"   # a time-stamp server (RFC 3161)
    trust = ["partner.pem"]                        # further roots to trust when verifying

Paths are relative to the file. Without a certificate, this machine's own signs. It is made on first use and known to nobody else: it shows
that nothing was changed, not who signed. It follows the C2PA certificate profile: X.509 v3, ES256, a leaf of five years with key usage
digitalSignature and extended key usage emailProtection, under a root of its own. Neither names the user or the machine. Both keys are in one
file that the user alone can read, beside those of the projects.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock
from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from nodes.consent.keys import check_private, keys_folder, write_private
from nodes.errors import CredentialsError, OutputError

VARIABLE = "FACEPLATE_CREDENTIALS"
ORGANISATION = "Faceplate local certificate"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_ROOT_DAYS, _LEAF_DAYS = 30 * 365, 5 * 365
_EARLY = dt.timedelta(days=30)  # before its end a leaf is followed by a new one
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\n.*?-----END \1-----\n", re.DOTALL)
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Configuration(BaseModel):
    """The user's configuration; empty where there is no file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path | None = None
    private_key: Path | None = None
    time_stamp: str | None = None
    trust: tuple[Path, ...] = ()

    @field_validator("time_stamp")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("is no http address")
        return value

    @model_validator(mode="after")
    def _come_together(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        return self


def configuration_file() -> Path:
    """The configuration's file, there or not: the one FACEPLATE_CREDENTIALS names, else `credentials.toml` in the user's configuration."""
    told = os.environ.get(VARIABLE)
    if told:
        return Path(told).expanduser().absolute()
    return user_config_path("faceplate", appauthor=False) / "credentials.toml"


def read_configuration() -> Configuration:
    """Read the configuration. Raises CredentialsError for a damaged one, and for one that is named and not there."""
    path = configuration_file()

    def placed(value: Any) -> Any:
        return path.parent / Path(value).expanduser() if isinstance(value, str) else value

    try:
        told = tomllib.loads(path.read_text("utf-8"))
        told |= {name: placed(told[name]) for name in ("certificate", "private_key") if name in told}
        if isinstance(told.get("trust"), list):
            told["trust"] = [placed(root) for root in told["trust"]]
        return Configuration.model_validate(told)
    except FileNotFoundError as e:
        if os.environ.get(VARIABLE):
            raise CredentialsError("does not exist", file=path, remedy=f"Write it, or unset {VARIABLE}") from e
        return Configuration()
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise CredentialsError(what, file=path, remedy="It knows certificate, private_key, time_stamp, trust") from e
    except (OSError, ValueError, RecursionError, RuntimeError) as e:  # RuntimeError: ~name of a user who is not there
        raise CredentialsError(f"cannot be read ({e})", file=path, remedy="Write it as TOML") from e


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key. chain: PEM, the signing one first. algorithm: as C2PA names it. time_stamp: a server's address.

    local: made by this machine for itself, and so known to nobody else.
    """

    chain: str
    key: str
    algorithm: str
    local: bool
    time_stamp: str | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate that signs."""
        return x509.load_pem_x509_certificates(self.chain.encode())[0]

    @property
    def name(self) -> str:
        """The name in the certificate, else a part of its fingerprint."""
        return _name_of(self.certificate) or self.fingerprint[:16]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()

    def __repr__(self) -> str:
        return f"Identity({self.name})"  # a traceback must not show a key


def load_identity() -> Identity:
    """Load the certificate that signs; this machine's own is made when it is needed first. Raises CredentialsError, OutputError."""
    told = read_configuration()
    if told.certificate is None or told.private_key is None:
        leaf, key, _ = local_certificate()
        return Identity(leaf, key, "es256", local=True, time_stamp=told.time_stamp)
    chain, key = (_read(path) for path in (told.certificate, told.private_key))
    check_private(told.private_key, CredentialsError)
    return Identity(chain, key, _algorithm(told, chain, key), local=False, time_stamp=told.time_stamp)


def _algorithm(told: Configuration, chain: str, key: str) -> str:
    """How this key signs; raises CredentialsError where key and certificate do not belong together."""
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        remedy = "Give one in PEM, without a password"
        raise CredentialsError("is no private key that can be used", file=told.private_key, remedy=remedy) from e
    try:
        certificate = x509.load_pem_x509_certificates(chain.encode())[0]
    except (ValueError, IndexError) as e:
        remedy = "Give the chain in PEM, the signing one first"
        raise CredentialsError("holds no certificate", file=told.certificate, remedy=remedy) from e
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise CredentialsError(
            "is not the key of the first certificate of the chain",
            file=told.private_key,
            remedy=f"Set right certificate and private_key in {configuration_file()}",
        )
    if isinstance(private, EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name]
    if isinstance(private, Ed25519PrivateKey | RSAPrivateKey):
        return "ed25519" if isinstance(private, Ed25519PrivateKey) else "ps256"
    raise CredentialsError("is a key of a kind that C2PA has not", file=told.private_key, remedy="Use ES256 or Ed25519")


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as e:
        what = f"cannot be read ({getattr(e, 'strerror', None) or e})"
        raise CredentialsError(what, file=path, remedy=f"Set it right in {configuration_file()}") from e


@dataclass(frozen=True, slots=True)
class Trust:
    """The roots that this user trusts, PEM. own: the name that this machine's own certificates have, None where it has none."""

    roots: tuple[str, ...] = ()
    own: str | None = None


def load_trust(further: Sequence[Path] = ()) -> Trust:
    """Load this machine's own root, the configured ones and `further` PEM files. Raises CredentialsError for one that is not a certificate."""
    own, roots = local_root(), list[str]()
    for path in (*read_configuration().trust, *further):
        try:
            text = path.expanduser().read_text("ascii")
            x509.load_pem_x509_certificates(text.encode())
        except (OSError, ValueError) as e:
            remedy = "Give a root certificate, in PEM"
            raise CredentialsError("holds no certificate to trust", file=path, remedy=remedy) from e
        roots.append(text)
    return Trust((own, *roots) if own else tuple(roots), _signer_under(own) if own else None)


def local_file() -> Path:
    """The file of this machine's own certificate: root key, root, leaf key and leaf, as PEM."""
    return keys_folder() / "content-credentials.pem"


def local_certificate(now: dt.datetime | None = None) -> tuple[str, str, str]:
    """This machine's own leaf, its private key and the root, each as PEM; made if there is none, the leaf renewed before it ends.

    Raises CredentialsError for a file that is damaged, that others can read, or that cannot be made.
    """
    path, now = local_file(), now or dt.datetime.now(dt.UTC)
    parts = _read_local(path)
    if parts is None or _ends(parts, now):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.stem}.lock")):
                parts = _read_local(path)  # another process may have been faster
                if parts is None or _ends(parts, now):
                    parts = _renewed(parts, now)
                    write_private(path, b"".join(parts))
        except (OSError, OutputError) as e:
            why = e.what if isinstance(e, OutputError) else e.strerror or e
            remedy = "Let FACEPLATE_KEYS name a folder that is yours, or configure a certificate"
            raise CredentialsError(f"cannot be made: {why}", file=path, remedy=remedy) from e
    _, root, key, leaf = parts
    return leaf.decode(), key.decode(), root.decode()


def local_root() -> str | None:
    """The root of this machine's own certificate as PEM, for others to trust; None where nothing was ever signed here."""
    parts = _read_local(local_file())
    return parts[1].decode() if parts else None


def _read_local(path: Path) -> list[bytes] | None:
    if not path.exists():
        return None
    check_private(path, CredentialsError)
    parts = list(_PEM.finditer(path.read_bytes()))
    try:
        if [part[1] for part in parts] != [b"PRIVATE KEY", b"CERTIFICATE"] * 2:
            raise ValueError
        for part in parts[1::2]:
            x509.load_pem_x509_certificate(part[0])
    except ValueError as e:
        remedy = "Restore it from a copy, or delete it: a new certificate is made"
        raise CredentialsError("is damaged", file=path, remedy=remedy) from e
    return [part[0] for part in parts]


def _ends(parts: list[bytes], now: dt.datetime) -> bool:
    return x509.load_pem_x509_certificate(parts[3]).not_valid_after_utc < now + _EARLY


def _renewed(parts: list[bytes] | None, now: dt.datetime) -> list[bytes]:
    """A new leaf, under the root that is there if one is."""
    key, root_key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    if parts:
        loaded, root = load_pem_private_key(parts[0], None), x509.load_pem_x509_certificate(parts[1])
        assert isinstance(loaded, EllipticCurvePrivateKey)
        root_key = loaded
    else:
        root = _certificate(f"{ORGANISATION} {secrets.token_hex(4)}", root_key, None, root_key, now)
    leaf = _certificate(_signer_under(root.public_bytes(Encoding.PEM).decode()), key, root, root_key, now)
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return [
        root_key.private_bytes(*pem),
        root.public_bytes(Encoding.PEM),
        key.private_bytes(*pem),
        leaf.public_bytes(Encoding.PEM),
    ]


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    root: x509.Certificate | None,
    root_key: EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    """A leaf under a root, or a root where that is None."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    usages = ("digital_signature",) if root else ("key_cert_sign", "crl_sign")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(root.subject if root else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=_LEAF_DAYS if root else _ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=root is None, path_length=None if root else 0), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in usages for usage in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if root is not None:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usage, critical=False).add_extension(issuer, critical=False)
    return builder.sign(root_key, SHA256())


def _signer_under(root: str) -> str:
    """The name in the certificates under a local root (PEM)."""
    return f"{_name_of(x509.load_pem_x509_certificate(root.encode()))} signer"


def _name_of(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
