"""Signing identity: the user's certificate and trusted roots, configured in a TOML file of the user's, never of a project's.

A project may come from a stranger, who must not choose whom this user trusts, or which server is called.

    certificate = "studio.pem"                     # the chain, the signing certificate first
    private_key = "studio.key"                     # PEM, readable by you alone
    time_stamp = "https://timestamp.example.com"   # a time-stamp server (RFC 3161)
    trust = ["partner.pem"]                        # further roots to trust when verifying

Paths are relative to the file. Without a certificate, this machine's own signs. It is made on first use and known to nobody else: it shows
that nothing was changed, not who signed. It follows the C2PA certificate profile: X.509 v3, ES256, a leaf with key usage digitalSignature and
extended key usage emailProtection, under a root of its own, whose key is not kept. Neither names the user or the machine.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock
from platformdirs import user_config_path
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator

from nodes.consent.keys import check_private, keys_folder, write_private
from nodes.errors import CredentialsError, OutputError

VARIABLE = "FACEPLATE_CREDENTIALS"
ORGANISATION = "Faceplate local certificate"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_DAYS = 30 * 365
_KEY = re.compile(rb"-----BEGIN PRIVATE KEY-----\n.*?-----END PRIVATE KEY-----\n", re.DOTALL)


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    return Path(info.context) / path.expanduser() if info.context else path


def _http(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        raise ValueError("is no http address")
    return address


class Configuration(BaseModel):
    """The user's configuration; empty where there is no file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Annotated[Path, AfterValidator(_beside_the_file)] | None = None
    private_key: Annotated[Path, AfterValidator(_beside_the_file)] | None = None
    time_stamp: Annotated[str, AfterValidator(_http)] | None = None
    trust: tuple[Annotated[Path, AfterValidator(_beside_the_file)], ...] = ()

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        return self


def configuration_file() -> Path:
    """Return the configuration's file, existing or not: the one FACEPLATE_CREDENTIALS names, else `credentials.toml` in the user's configuration."""
    named = os.environ.get(VARIABLE)
    folder = user_config_path("faceplate", appauthor=False)
    return Path(named).expanduser().absolute() if named else folder / "credentials.toml"


def read_configuration() -> Configuration:
    """Read the configuration. Raises CredentialsError for one that is damaged, or named but missing."""
    path = configuration_file()
    try:
        return Configuration.model_validate(tomllib.loads(path.read_text("utf-8")), context=path.parent)
    except FileNotFoundError as e:
        if os.environ.get(VARIABLE):
            raise CredentialsError("does not exist", file=path, remedy=f"Write it, or unset {VARIABLE}") from e
        return Configuration()
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        what = ": ".join([*map(str, first["loc"][:1]), first["msg"]])
        raise CredentialsError(what, file=path, remedy="It knows certificate, private_key, time_stamp, trust") from e
    except (OSError, ValueError, RecursionError, RuntimeError) as e:  # RuntimeError: ~name of an unknown user
        raise CredentialsError(f"cannot be read ({e})", file=path, remedy="Write it as TOML") from e


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key. chain: PEM, the signing one first. algorithm: as C2PA names it. time_stamp: a server's address.

    local: made by this machine for itself, known to nobody else.
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
        names = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else self.fingerprint[:16]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return self.certificate.fingerprint(SHA256()).hex()

    def __repr__(self) -> str:
        return f"Identity({self.name})"  # a traceback must not show a key


def load_identity() -> Identity:
    """Load the certificate that signs; this machine's own is made on first use. Raises CredentialsError, OutputError."""
    configured = read_configuration()
    certificate, private_key = configured.certificate, configured.private_key
    if certificate is None or private_key is None:
        leaf, key = _local_certificate()
        return Identity(leaf, key, "es256", local=True, time_stamp=configured.time_stamp)
    chain = _read_certificates(certificate, "holds no certificate", "Give the chain in PEM, the signing one first")
    try:
        key = private_key.read_text("ascii")
        private = load_pem_private_key(key.encode(), None)
    except OSError as e:
        remedy = f"Set it right in {configuration_file()}"
        raise CredentialsError(f"cannot be read ({e.strerror or e})", file=private_key, remedy=remedy) from e
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        remedy = "Give one in PEM, without a password"
        raise CredentialsError("is no private key that can be used", file=private_key, remedy=remedy) from e
    check_private(private_key, CredentialsError)
    if private.public_key() != x509.load_pem_x509_certificates(chain.encode())[0].public_key():
        what = "is not the key of the first certificate of the chain"
        raise CredentialsError(what, file=private_key, remedy=f"Set it right in {configuration_file()}")
    match private:
        case EllipticCurvePrivateKey() if private.curve.name in _CURVES:
            algorithm = _CURVES[private.curve.name]
        case Ed25519PrivateKey():
            algorithm = "ed25519"
        case RSAPrivateKey():
            algorithm = "ps256"
        case _:
            what = "is a key of a kind that C2PA has not"
            raise CredentialsError(what, file=private_key, remedy="Use ES256 or Ed25519")
    return Identity(chain, key, algorithm, local=False, time_stamp=configured.time_stamp)


@dataclass(frozen=True, slots=True)
class Trust:
    """The roots that this user trusts, PEM. own: serial number of this machine's own certificate, None where it has none."""

    roots: tuple[str, ...] = ()
    own: str | None = None


def load_trust(further: Sequence[Path] = ()) -> Trust:
    """Load this machine's own root, the configured ones and `further` PEM files. Raises CredentialsError for one that is not a certificate."""
    what, remedy = "holds no certificate to trust", "Give a root certificate, in PEM"
    roots = [_read_certificates(path, what, remedy) for path in (*read_configuration().trust, *further)]
    local = _read_local()
    if local is None:
        return Trust(tuple(roots))
    root, _, leaf = local
    return Trust((root, *roots), str(x509.load_pem_x509_certificate(leaf.encode()).serial_number))


def _read_certificates(path: Path, what: str, remedy: str) -> str:
    """Read PEM that holds at least one certificate; raises CredentialsError, which says `what`."""
    try:
        text = path.expanduser().read_text("ascii")
        x509.load_pem_x509_certificates(text.encode())
    except (OSError, ValueError) as e:
        raise CredentialsError(what, file=path, remedy=remedy) from e
    return text


def local_file() -> Path:
    """Return the file of this machine's own certificate, beside the keys of projects: root, leaf key and leaf, as PEM."""
    return keys_folder() / "content-credentials.pem"


def local_root() -> str | None:
    """Return the root of this machine's own certificate as PEM, for others to trust; None before anything was signed here."""
    parts = _read_local()
    return parts and parts[0]


def _local_certificate() -> tuple[str, str]:
    """Load this machine's own leaf and its private key as PEM; made if missing. Raises CredentialsError."""
    path, parts = local_file(), _read_local()
    if parts is None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.stem}.lock")):
                if not path.exists():  # another process may have been faster
                    write_private(path, _new_certificate())
        except (OSError, OutputError) as e:
            why = e.what if isinstance(e, OutputError) else e.strerror or e
            remedy = "Let FACEPLATE_KEYS name a folder that is yours, or configure a certificate"
            raise CredentialsError(f"cannot be made: {why}", file=path, remedy=remedy) from e
        parts = _read_local()
        assert parts is not None
    return parts[2], parts[1]


def _read_local() -> tuple[str, str, str] | None:
    """Read root, leaf key and leaf; in files of earlier Faceplates the root's key stands before them."""
    path = local_file()
    if not path.exists():
        return None
    check_private(path, CredentialsError)
    data = path.read_bytes()
    try:
        root, leaf = x509.load_pem_x509_certificates(data)
        key = _KEY.findall(data)[-1]
        load_pem_private_key(key, None)
    except (ValueError, IndexError) as e:
        remedy = "Restore it from a copy, or delete it: a new certificate is made"
        raise CredentialsError("is damaged", file=path, remedy=remedy) from e
    return root.public_bytes(Encoding.PEM).decode(), key.decode(), leaf.public_bytes(Encoding.PEM).decode()


def _new_certificate() -> bytes:
    """Make root, leaf key and leaf, as PEM."""
    root_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    name = f"{ORGANISATION} {secrets.token_hex(4)}"
    root = _certificate(name, None, root_key, root_key)
    leaf = _certificate(f"{name} signer", root, key, root_key)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return root.public_bytes(Encoding.PEM) + private + leaf.public_bytes(Encoding.PEM)


def _certificate(
    name: str, root: x509.Certificate | None, key: EllipticCurvePrivateKey, root_key: EllipticCurvePrivateKey
) -> x509.Certificate:
    """Make a leaf under a root, or a root where that is None."""
    names = {NameOID.ORGANIZATION_NAME: ORGANISATION, NameOID.COMMON_NAME: name}
    subject = x509.Name([x509.NameAttribute(kind, text) for kind, text in names.items()])
    now = dt.datetime.now(dt.UTC)
    usage = x509.KeyUsage(
        digital_signature=root is not None,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=root is None,
        crl_sign=root is None,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(root.subject if root else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=root is None, path_length=None if root else 0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if root is not None:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        extended = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(extended, critical=False).add_extension(issuer, critical=False)
    return builder.sign(root_key, SHA256())
