"""Whose signature results carry: the production's certificate where one is configured, else this machine's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from nodes.credentials.config import Configuration, configuration_file, read_configuration
from nodes.credentials.local import check_private, local_certificate
from nodes.errors import CredentialsError

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


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
        """The one that signs."""
        return x509.load_pem_x509_certificates(self.chain.encode())[0]

    @property
    def name(self) -> str:
        """Whom the certificate names."""
        return common_name(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()

    def __repr__(self) -> str:
        return f"Identity({self.name})"  # a traceback shall not show a key


def load_identity(configuration: Configuration | None = None) -> Identity:
    """Load what signs; this machine's own certificate is made when it is needed first. Raises CredentialsError, OutputError."""
    told = configuration or read_configuration()
    if told.certificate is None or told.private_key is None:
        leaf, key, _ = local_certificate()
        return Identity(leaf, key, "es256", local=True, time_stamp=told.time_stamp)
    chain, key = _read(told.certificate), _read(told.private_key)
    check_private(told.private_key)
    return Identity(chain, key, _algorithm(told, chain, key), local=False, time_stamp=told.time_stamp)


def common_name(certificate: x509.Certificate) -> str:
    """Whom a certificate names, or a part of its fingerprint where it names nobody."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()[:16]


def _algorithm(told: Configuration, chain: str, key: str) -> str:
    """How this key signs; raises CredentialsError where key and certificate do not belong together."""
    assert told.certificate is not None
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise CredentialsError(
            "is no private key that can be used", file=told.private_key, remedy="Give one in PEM, without a password"
        ) from e
    try:
        certificate = x509.load_pem_x509_certificates(chain.encode())[0]
    except (ValueError, IndexError) as e:
        raise CredentialsError(
            "holds no certificate", file=told.certificate, remedy="Give the chain in PEM, the signing one first"
        ) from e
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise CredentialsError(
            "is not the key of the first certificate of the chain",
            file=told.private_key,
            remedy=f"Set right certificate and private_key in {configuration_file()}",
        )
    if isinstance(private, EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name]
    if isinstance(private, Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, RSAPrivateKey):
        return "ps256"
    raise CredentialsError("is a key of a kind that C2PA has not", file=told.private_key, remedy="Use ES256 or Ed25519")


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as e:
        raise CredentialsError(
            f"cannot be read ({getattr(e, 'strerror', None) or e})",
            file=path,
            remedy=f"Set it right in {configuration_file()}",
        ) from e
