"""`faceplate cache`."""

from __future__ import annotations

from cyclopts import App

from host_bridge.cli.options import Json
from host_bridge.cli.output import print_json
from nodes.text import counted

cache = App(name="cache", help_format="plaintext")


@cache.default
def show(*, json: Json = False) -> None:
    """Show where the analysis cache is, how large it is and how large it may grow."""
    from nodes.cache import cache_folder, kept, limit

    sizes = [size for _, size, _ in kept()]
    most = limit()
    if json:
        document = {"folder": str(cache_folder()), "files": len(sizes), "bytes": sum(sizes), "limit": most}
        print_json({"schema": "faceplate.cache/1", **document})
        return
    print(cache_folder())
    used = f"{counted(len(sizes), 'file')}, {sum(sizes) / 1e9:.2f} of at most {most / 1e9:g} GB"
    print(f"{used} (FACEPLATE_CACHE_LIMIT changes that)")


@cache.command
def clear() -> None:
    """Delete the analysis cache; it is computed again when needed."""
    from nodes.cache import clear as drop

    print(f"{drop() / 1e9:.2f} GB dropped")
