"""What a dropped file asks for: a kind of job and its request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.client import LARGEST_REQUEST
from host_bridge.watch.found import JOB, RESULT, cast_of
from host_bridge.watch.posts import MONITOR, Job, read_jobs
from nodes.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """A job to submit. lua: answer for a script that can only load Lua. then: what else of its post is done if it is allowed."""

    kind: str
    request: dict[str, Any]
    lua: bool = False
    then: tuple[str, list[Job]] | None = None


OPEN_MONITOR = Asked("monitor", {})


def asked(file: Path, method: str = "model") -> Asked | None:
    """Read a dropped file; None for JSON that is no job at all. method: how the shots of an edit are done. Raises UsageError for one that is wrong, and OSError."""
    return _job(file) if file.suffix.lower() == JOB else _timeline(file, method)


def _job(file: Path) -> Asked | None:
    with file.open("rb") as opened:
        text = opened.read(LARGEST_REQUEST + 1)
    if len(text) > LARGEST_REQUEST:
        raise UsageError(f"{file.name}: is larger than a job may be, 1 MiB", remedy="Ask for less at once")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise UsageError(
            f"{file.name}: is no JSON ({e})", remedy='Write {"kind": "swap", "request": {...}}, in UTF-8'
        ) from e
    if told == MONITOR:
        return OPEN_MONITOR
    if not isinstance(told, dict) or not {"kind", "request"} & told.keys():
        return None
    unknown = told.keys() - {"kind", "request", "answer", "then"}
    if unknown or not isinstance(told.get("kind"), str) or not isinstance(told.get("request"), dict):
        what = f"does not know '{min(unknown)}'" if unknown else "needs the name of a kind and a request"
        raise UsageError(f"{file.name}: a job {what}", remedy='Write {"kind": "swap", "request": {...}}')
    if told.get("answer", "json") not in ("json", "lua"):
        raise UsageError(f"{file.name}: answers are 'json' or 'lua'", remedy="Leave 'answer' out")
    try:
        then = read_jobs(told["then"]) if "then" in told else None
    except ValueError as e:
        raise UsageError(f"{file.name}: then {e}", remedy="Leave 'then' out") from e
    return Asked(told["kind"], told["request"], lua=told.get("answer") == "lua", then=then)


def _timeline(file: Path, method: str) -> Asked:
    """Cut as the edit and its cast say; the edit comes back beside it, as Resolve imports it."""
    base = file.with_name(file.stem + RESULT)
    export = {"profile": "resolve", "out": f"{base}.otio"}
    request: dict[str, Any] = {"edit": str(file), "out": str(base), "export": export, "run": {"method": method}}
    if cast := cast_of(file):
        request["cast"] = str(cast)
    return Asked("timeline", request)
