"""What a document writes as the place of a file: bare paths and `file://` addresses of every system, as plain paths."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

from nodes.footage.formats import IMAGES

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\]|$)")
_PLACE = re.compile(r"(%0\dd)")
_RANGE = re.compile(r"\[(\d+)-(\d+)\]")


def plain_paths(url: str) -> list[str]:
    r"""Return what a place may mean, the likeliest first, with `/` between folders; none for web addresses.

    `C:\a\b.mov` becomes `C:/a/b.mov`, a server's share `//server/share/b.mov`. A bare path is taken as it is, then with its
    percent codes undone; an address with them undone, then as it is, for there are writers who forget to write them. An image
    called name.[0001-0100].exr is a sequence, as Resolve writes it, or a file of that name.
    """
    if not url or "\0" in url:
        return []
    if url[:5].lower() == "file:":
        raw = _of_address(url[5:])
        found = [_decoded(raw), raw]
    elif _SCHEME.match(url) and not _DRIVE.match(url):
        return []
    else:
        raw = url.replace("\\", "/") if is_windows(url) or "/" not in url else url
        found = [raw, _decoded(raw)]
    found = [p for p in found if p and "\0" not in p]
    return list(dict.fromkeys((*map(_as_pattern, found), *found)))


def is_windows(path: str) -> bool:
    """Tell whether a path is absolute as Windows has it: with a drive, or on a server."""
    return bool(_DRIVE.match(path)) or path.startswith(("\\\\", "//"))


def is_absolute(path: str) -> bool:
    """Tell whether a path is absolute on any system."""
    return path.startswith("/") or is_windows(path)


def name_of(path: str) -> str:
    """The last part of a path of any system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _decoded(path: str) -> str:
    """Undo percent codes, but leave a sequence's `%04d`, which is none: it would be a control character."""
    return "".join(
        part if _PLACE.fullmatch(part) else unquote(part, errors="surrogateescape") for part in _PLACE.split(path)
    )


def _of_address(rest: str) -> str:
    rest = rest.replace("\\", "/")
    if not rest.startswith("//"):
        return _without_slash(rest)
    host, _, path = rest[2:].partition("/")
    if _DRIVE.match(host):
        return f"{host}/{path}"
    if host.lower() in ("", "localhost", "127.0.0.1"):
        return _without_slash(f"/{path}")
    if host in (".", ".."):
        return f"{host}/{path}"
    return f"//{host}/{path}"


def _without_slash(path: str) -> str:
    drive = re.match(r"/+([A-Za-z])(:|\||%3A)(?=/|$)", path, re.IGNORECASE)
    return f"{drive[1]}:{path[drive.end() :]}" if drive else path


def _as_pattern(path: str) -> str:
    """`name.[0001-0100].exr` is how Resolve calls a sequence."""
    folder, slash, name = path.rpartition("/")
    if PurePosixPath(name).suffix.lower() not in IMAGES:
        return path
    return folder + slash + _RANGE.sub(lambda m: f"%0{len(m[1])}d", name, count=1)
