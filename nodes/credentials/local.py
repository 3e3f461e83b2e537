"""The certificate of this machine's user, made on first use: nobody else knows it, so it shows that nothing was changed, not who signed.

It follows the C2PA certificate profile: X.509 v3, ES256, a leaf of five years with key usage digitalSignature and extended key usage
emailProtection (what validators accept without being told), under a root of its own. Neither names the user or the machine.
Both keys lie in one file that the user alone can read, beside those of the projects (`nodes.consent.keys`).
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from nodes.consent.keys import keys_folder
from nodes.errors import CredentialsError
from nodes.text import command_line

ORGANISATION = "Faceplate local certificate"
_ROOT_DAYS, _LEAF_DAYS = 30 * 365, 5 * 365
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\n.*?-----END \1-----\n", re.DOTALL)
_EARLY = dt.timedelta(days=30)  # before its end a leaf is followed by a new one
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


def local_file() -> Path:
    """Where it lies: root key, root, leaf key and leaf, as PEM."""
    return keys_folder() / "content-credentials.pem"


def local_certificate(now: dt.datetime | None = None) -> tuple[str, str, str]:
    """The leaf, its private key and the root, each as PEM; made if there is none, the leaf renewed before it ends.

    Raises CredentialsError for a file that is damaged, that others can read, or that cannot be made.
    """
    path, now = local_file(), now or dt.datetime.now(dt.UTC)
    if not _lasts(path, now):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.stem}.lock")):
                if not _lasts(path, now):  # another process may have been faster
                    _renew(path, now)
        except OSError as e:
            raise CredentialsError(
                f"cannot be made: {e.strerror or e}",
                file=path,
                remedy="Let FACEPLATE_KEYS name a folder that is yours, or configure a certificate",
            ) from e
    _, root, key, leaf = _read(path)
    return leaf.decode(), key.decode(), root.decode()


def local_root() -> str | None:
    """The root as PEM, which is all that others need to know it by; None where nothing was ever signed here."""
    return _read(local_file())[1].decode() if local_file().exists() else None


def signer_under(root: str) -> str:
    """Whom the certificates under a local root (PEM) name."""
    return f"{_common(x509.load_pem_x509_certificate(root.encode()))} signer"


def check_private(path: Path) -> None:
    """Raise CredentialsError for a file of a private key that others than its owner may read or write (on POSIX)."""
    if hasattr(os, "getuid") and path.stat().st_mode & 0o077:
        raise CredentialsError(
            "others than you may read or write this private key",
            file=path,
            remedy=command_line("chmod", "600", str(path)),
        )


def _lasts(path: Path, now: dt.datetime) -> bool:
    return path.exists() and x509.load_pem_x509_certificate(_read(path)[3]).not_valid_after_utc >= now + _EARLY


def _renew(path: Path, now: dt.datetime) -> None:
    """Make a leaf, under the root that is there if one is."""
    if path.exists():
        root_pem, root_of = _read(path)[:2]
        root_key, root = load_pem_private_key(root_pem, None), x509.load_pem_x509_certificate(root_of)
        assert isinstance(root_key, EllipticCurvePrivateKey)
        _write(path, root_key, root, now)
    else:
        fresh = generate_private_key(SECP256R1())
        _write(path, fresh, _root(fresh, now), now)


def _read(path: Path) -> tuple[bytes, bytes, bytes, bytes]:
    check_private(path)
    found = [(m[1], m[0]) for m in _PEM.finditer(path.read_bytes())]
    try:
        if [kind for kind, _ in found] != [b"PRIVATE KEY", b"CERTIFICATE"] * 2:
            raise ValueError
        root_key, root, key, leaf = (pem for _, pem in found)
        for pem in (root, leaf):
            x509.load_pem_x509_certificate(pem)
    except ValueError as e:
        raise CredentialsError(
            "is damaged", file=path, remedy="Restore it from a copy, or delete it: a new certificate is made"
        ) from e
    return root_key, root, key, leaf


def _write(path: Path, root_key: EllipticCurvePrivateKey, root: x509.Certificate, now: dt.datetime) -> None:
    key = generate_private_key(SECP256R1())
    leaf = _leaf(key, root_key, root, now)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as out:
            for part in (_pem(root_key), root.public_bytes(Encoding.PEM), _pem(key), leaf.public_bytes(Encoding.PEM)):
                out.write(part)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _root(key: EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = _name(f"{ORGANISATION} {secrets.token_hex(4)}")
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _begun(name, name, key, now, _ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(own, critical=False)
        .sign(key, SHA256())
    )


def _leaf(
    key: EllipticCurvePrivateKey, root_key: EllipticCurvePrivateKey, root: x509.Certificate, now: dt.datetime
) -> x509.Certificate:
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    return (
        _begun(_name(signer_under(root.public_bytes(Encoding.PEM).decode())), root.subject, key, now, _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(own, critical=False)
        .add_extension(issuer, critical=False)
        .sign(root_key, SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _common(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _usage(*named: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in named for usage in _USAGES})


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
