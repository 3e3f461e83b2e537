"""Whom this user trusts when verifying: this machine's own root, and the roots that are configured or told. The library knows none by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from nodes.credentials.config import read_configuration
from nodes.credentials.local import local_root, signer_under
from nodes.errors import CredentialsError


@dataclass(frozen=True, slots=True)
class Trust:
    """roots: PEM. own: the name that this machine's own certificates have, None where it has none."""

    roots: tuple[str, ...] = ()
    own: str | None = None


def load_trust(further: Sequence[Path] = ()) -> Trust:
    """Gather them; further: PEM files of roots. Raises CredentialsError for one that holds no certificate."""
    own = local_root()
    roots = [_root(path) for path in (*read_configuration().trust, *further)]
    return Trust(tuple([own, *roots] if own else roots), own and signer_under(own))


def _root(path: Path) -> str:
    try:
        text = path.expanduser().read_text("ascii")
        x509.load_pem_x509_certificates(text.encode())
    except (OSError, ValueError) as e:
        raise CredentialsError(
            "holds no certificate to trust", file=path, remedy="Give a root certificate, in PEM"
        ) from e
    return text
