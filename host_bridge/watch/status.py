"""Status of a dropped file: a document beside it, a text for a failure, and Lua for scripts that can only load that."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from host_bridge.client import EngineError
from host_bridge.fusion.lua import to_lua
from nodes.errors import FaceplateError
from nodes.files import check_schema, whole_file
from nodes.log import log_failure, log_file

_log = logging.getLogger(__name__)
SCHEMA = "faceplate.watch/1"
ENDED = ("finished", "failed")
STATUS, ERROR, ANSWER = ".status.json", ".error.txt", ".answer.lua"


class FileStamp(NamedTuple):
    """Size and time of a file: tells one content from another without reading it."""

    size: int
    time: int


def read_status(file: Path, mark: FileStamp) -> dict[str, Any] | None:
    """Read the status of a file with this stamp; None if it is missing or invalid."""
    try:
        status = json.loads(_beside(file, STATUS).read_text("utf-8"))
        check_schema(status["schema"], SCHEMA, file)
    except (OSError, ValueError, KeyError, TypeError, FaceplateError):
        return None
    return status if status.get("mark") == list(mark) else None


def write_status(file: Path, mark: FileStamp, status: dict[str, Any], *, lua: bool) -> None:
    """Write NAME.status.json, NAME.error.txt of an error and, with `lua`, STEM.answer.lua; raises OutputError."""
    document = {"schema": SCHEMA, "file": file.name, "mark": mark, **status}
    with whole_file(_beside(file, STATUS)) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    error = status.get("error")
    if error:
        text = f"{file.name}: {error['message']}\n{error.get('remedy') or ''}".strip()
        with whole_file(_beside(file, ERROR)) as temporary:
            temporary.write_text(text + "\n", "utf-8")
    else:
        _beside(file, ERROR).unlink(missing_ok=True)
    if lua:
        write_answer(file.with_name(file.stem + ANSWER), {**status, "file": file.name})


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def write_answer(path: Path, answer: dict[str, Any], mode: int = 0o666) -> None:
    """Write a Lua file that a script in a host loads; mode: who may read it. Raises OutputError."""
    with whole_file(path, sync=False) as temporary:
        temporary.touch(mode)
        temporary.write_text(f"return {to_lua(answer)}\n", "utf-8")


def of_job(job: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a job of the engine. exit_status of an error: its kind, 10 for missing consent."""
    status = {"state": job["state"], "kind": job["kind"], "job": job["id"]}
    if job["state"] == "finished":
        return {**status, "result": job["result"]}
    if job["state"] == "cancelled":
        error = {"message": "the job was cancelled", "remedy": "Drop the file again"}
        return {**status, "state": "failed", "error": error}
    if job["state"] == "failed":
        return {**status, "error": job["error"]}
    return {**status, "state": "running", "progress": job["progress"]}


def of_failure(e: Exception) -> dict[str, Any]:
    """Return the status of a file without a job, or whose job is gone."""
    log_failure(_log, e)
    message = e.message if isinstance(e, EngineError) else getattr(e, "what", None) or str(e)
    message += f" (log: {file})" if (file := log_file()) else ""
    return {"state": "failed", "error": {"message": message, "remedy": getattr(e, "remedy", None)}}
