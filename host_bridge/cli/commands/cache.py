"""`faceplate cache`."""

from __future__ import annotations

from cyclopts import App

from host_bridge.cli.options import Flag
from host_bridge.cli.output import print_json
from nodes.text import counted

cache = App(name="cache", help_format="plaintext")


@cache.default
def show(*, json: Flag = False) -> None:
    """Say where what was found in footage is kept, how much there is and how much there may be.

    Parameters
    ----------
    json
        Print it as JSON.
    """
    from nodes.shot.cache import cache_folder, kept, limit

    files = kept()
    size = sum(size for _, size, _ in files)
    if json:
        print_json(
            {
                "schema": "faceplate.cache/1",
                "folder": str(cache_folder()),
                "files": len(files),
                "bytes": size,
                "limit": limit(),
            }
        )
        return
    print(cache_folder())
    print(
        f"{counted(len(files), 'file')}, {size / 1e9:.2f} of at most {limit() / 1e9:g} GB (FACEPLATE_CACHE_LIMIT changes that)"
    )


@cache.command
def clear() -> None:
    """Drop everything that is kept; it is found again when it is asked for."""
    from nodes.shot.cache import clear as drop

    print(f"{drop() / 1e9:.2f} GB dropped")
