"""Posts of scripts in Resolve that may write no file: jobs in Fusion's preferences, `FaceplatePost = "ID:hex of JSON"`.

Such a script calls SetPrefs and SavePrefs, which writes `Fusion.prefs`; the answer is a Lua file in the watched folder, which it can load.
A post is `{"jobs": [{"name", "kind", "request"}]}`, `{"open": "monitor"}`, or `{"report": text}` of a self-check. Each job becomes the job file ID-NAME.json.
A job that asks who may be used carries the others of its post with it, as `then`: they get their files only if it is allowed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import from_json

from host_bridge.client import Client, EngineError
from nodes.errors import FaceplateError
from nodes.files import whole_file

_POST = re.compile(rb'FaceplatePost"?\]?\s*=\s*"([0-9A-Za-z-]{8,64}):((?:[0-9a-f]{2})*)"')
_NAME = r"^[0-9A-Za-z_-]{1,64}$"
_ASKS = "performers"  # the kind of job that asks for consent
_LARGEST = 16 << 20  # bytes of preferences
_KEPT = 200  # posts that are remembered
_NOTES = ".faceplate-posts.json"
MONITOR = {"open": "monitor"}
REPORT = "Faceplate self-check.txt"
_log = logging.getLogger(__name__)


class PostedJob(BaseModel):
    """A job of a post, and the name that its files get."""

    name: str = Field(pattern=_NAME)
    kind: str
    request: dict[str, Any]


class Post(BaseModel):
    """The jobs of one press of a button."""

    id: str = Field(pattern=_NAME)
    jobs: list[PostedJob] = Field(min_length=1)


class FusionPosts:
    """Converter of posts into job files, each once. prefs: the files to read, of this user only."""

    def __init__(self, folder: Path, prefs: list[Path], connect: Callable[[], Client]) -> None:
        self._folder, self._prefs, self._connect = folder, prefs, connect
        self._marks: dict[Path, tuple[int, int]] = {}

    def collect(self) -> None:
        """Read new posts. Raises OutputError."""
        for path in self._prefs:
            for id, content in self._fresh(path):
                self._open(id, content)
                self._remember(id)

    def _fresh(self, path: Path) -> Iterator[tuple[str, bytes]]:
        try:
            stat = path.stat()
            mine = not hasattr(os, "getuid") or stat.st_uid == os.getuid()
            mark = (stat.st_size, stat.st_mtime_ns)
            if not mine or stat.st_size > _LARGEST or self._marks.get(path) == mark:
                return
            text = path.read_bytes()
        except OSError:  # Resolve is about to write it
            return
        self._marks[path] = mark
        ids = self._past_ids()
        for match in _POST.finditer(text):
            id = match[1].decode()
            if id not in ids:
                yield id, bytes.fromhex(match[2].decode())

    def _open(self, id: str, content: bytes) -> None:
        try:
            document = from_json(content)
            if document == MONITOR:
                open_monitor(self._connect)
            elif isinstance(text := document.get("report"), str):
                with whole_file(self._folder / REPORT) as temporary:
                    temporary.write_text(text + "\n", "utf-8")
            else:
                write_jobs(self._folder, Post.model_validate({"id": id, **document}))
        except (ValueError, TypeError, AttributeError) as e:
            _log.warning("a post cannot be understood: %s", e)

    def _past_ids(self) -> list[str]:
        try:
            notes: Any = json.loads((self._folder / _NOTES).read_text("utf-8"))
            return [str(id) for id in notes["posts"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _remember(self, id: str) -> None:
        with whole_file(self._folder / _NOTES) as temporary:
            notes = {"schema": "faceplate.posts/1", "posts": [*self._past_ids(), id][-_KEPT:]}
            temporary.write_text(json.dumps(notes), "utf-8")


def write_jobs(folder: Path, post: Post) -> None:
    """Write the job files of a post: all, or the first that asks who may be used, which carries the others. Raises OutputError."""
    first, *later = sorted(post.jobs, key=lambda job: job.kind != _ASKS)
    asks = bool(later) and first.kind == _ASKS
    for job in [first] if asks else post.jobs:
        document = {"kind": job.kind, "request": job.request, "answer": "lua"}
        if asks:
            document["then"] = Post(id=post.id, jobs=later).model_dump()
        with whole_file(folder / f"{post.id}-{job.name}.json") as temporary:
            temporary.write_text(json.dumps(document, indent=1), "utf-8")


def open_monitor(connect: Callable[[], Client]) -> None:
    """Show the engine's page in the browser, if there is one. A script cannot: the page's address is a secret."""
    with contextlib.suppress(EngineError, webbrowser.Error):
        webbrowser.open(connect().page)


def fusion_roots() -> list[Path]:
    """List this user's Fusion roots on this system: the usual place, and the App Store edition's."""
    home = Path.home()
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
        return [roaming / "Blackmagic Design" / "DaVinci Resolve" / "Support" / "Fusion"]
    below = Path("Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion")
    if sys.platform == "darwin":
        stores = ("com.blackmagic-design.DaVinciResolveLite", "com.blackmagic-design.DaVinciResolveAppStore")
        return [home / below, *(home / "Library/Containers" / store / "Data" / below for store in stores)]
    return [home / ".local/share/DaVinciResolve/Fusion"]


def fusion_prefs(roots: list[Path]) -> list[Path]:
    """List the preference files in these folders, one for each profile; raises FaceplateError when no folder has one."""
    files = sorted(path for root in roots for path in root.glob("Profiles/*/Fusion.prefs"))
    if not files:
        raise FaceplateError(
            f"Resolve's preferences are not in {' or '.join(map(str, roots))}",
            remedy="Start Resolve once, or name the file with --prefs",
        )
    return files
