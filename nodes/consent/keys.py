"""Private keys, each in a file that its user alone can read, outside of every project: in FACEPLATE_KEYS, else among the user's data.

A project's key (Ed25519) is `PROJECT_ID.key`; `own.key` is the user's, with which anybody can revoke.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from platformdirs import user_data_path

from nodes.errors import ConsentError, FaceplateError, writing
from nodes.files import whole_file
from nodes.text import command_line

OWN = "own"


def keys_folder() -> Path:
    """Return the folder of the user's private keys."""
    named = os.environ.get("FACEPLATE_KEYS")
    return Path(named).expanduser().absolute() if named else user_data_path("faceplate", appauthor=False) / "keys"


def key_file(name: str) -> Path:
    """Return the file of a private key, existing or not."""
    return keys_folder() / f"{name}.key"


def load_key(name: str) -> Ed25519PrivateKey | None:
    """Read a private key; None where this user has none. Raises ConsentError for one that others can read, or that is damaged."""
    path = key_file(name)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise ConsentError("is not a private key that can be read", file=path, remedy="Restore it from a copy") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise ConsentError("is a private key of another kind", file=path, remedy="Restore it from a copy")
    check_private(path, ConsentError)
    return key


def make_key(name: str) -> Ed25519PrivateKey:
    """Make a private key. Raises OutputError."""
    key = Ed25519PrivateKey.generate()
    write_private(key_file(name), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def check_private(path: Path, error: type[FaceplateError]) -> None:
    """Raise `error` for a file of a private key that others than its owner may read or write (on POSIX)."""
    if hasattr(os, "getuid") and path.stat().st_mode & 0o077:
        remedy = command_line("chmod", "600", str(path))
        raise error("others than you may read or write this private key", file=path, remedy=remedy)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its user alone can read, whole or not at all. Raises OutputError."""
    with writing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.touch(0o600)
        temporary.write_bytes(data)


def public(key: Ed25519PrivateKey) -> str:
    """Return its public key, hex."""
    return key.public_key().public_bytes_raw().hex()


def fingerprint(key: str) -> str:
    """Shorten a public key (hex) for people to compare: `1f3a-90bc-…`, 16 hex digits of its SHA-256."""
    digits = hashlib.sha256(key.encode()).hexdigest()[:16]
    return "-".join(digits[i : i + 4] for i in range(0, 16, 4))


def is_signed(data: bytes, signature: str, key: str) -> bool:
    """Tell whether a signature (hex) of these bytes is by this public key (hex)."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True
