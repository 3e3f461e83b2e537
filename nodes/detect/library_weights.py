"""Weights that the optional package `face-alignment` downloads once: where it looks for them, and clear errors about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from nodes.errors import ModelError

_log = logging.getLogger(__name__)


def library_weights(url: str, instead: str) -> Path:
    """Return the file of the weights at `url`, in `checkpoints` below torch's hub folder; download it where it is not there.

    instead: what works without it. Raises ModelError, which names the file.
    """
    from torch.hub import HASH_REGEX, download_url_to_file, get_dir

    file = Path(get_dir(), "checkpoints", Path(urlsplit(url).path).name)
    if not file.is_file():
        digest = HASH_REGEX.search(file.name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            download_url_to_file(url, str(file), digest and digest[1], progress=False)
        except (OSError, RuntimeError) as e:  # RuntimeError: what came is not what its name says
            raise ModelError(
                f"is missing, and cannot be downloaded from {url} ({e})",
                file=file,
                remedy=f"Put it there from a machine that can, or {instead}",
            ) from e
    return file


@contextmanager
def loading(file: Path) -> Iterator[None]:
    """Turn what a damaged file of weights, or one of another network, makes the library raise into ModelError."""
    try:
        yield
    except Exception as e:  # those of torch's loader share no base class of their own
        _log.debug("%s cannot be loaded", file, exc_info=True)
        reason = str(e).splitlines()[0][:200] if str(e) else type(e).__name__
        raise ModelError(
            f"does not hold the weights that its name says ({reason})",
            file=file,
            remedy="Delete it: it is downloaded again",
        ) from e
