"""How a dropped file is doing: a document beside it, a text when it has failed, and Lua for scripts that can load nothing else."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from host_bridge.client import EngineError
from host_bridge.watch.found import ANSWER, ERROR, STATUS, Mark
from nodes.errors import FaceplateError
from nodes.files import check_schema, whole_file
from nodes.log import log_failure, log_file

_log = logging.getLogger(__name__)
SCHEMA = "faceplate.watch/1"
ENDED = ("finished", "failed")


def status_path(file: Path) -> Path:
    """NAME.status.json"""
    return file.with_name(file.name + STATUS)


def error_path(file: Path) -> Path:
    """NAME.error.txt"""
    return file.with_name(file.name + ERROR)


def answer_path(file: Path) -> Path:
    """STEM.answer.lua"""
    return file.with_name(file.stem + ANSWER)


def read_status(file: Path, mark: Mark) -> dict[str, Any] | None:
    """What was noted of this very content of a file; None if nothing was, or it cannot be understood."""
    try:
        told = json.loads(status_path(file).read_text("utf-8"))
        check_schema(told["schema"], SCHEMA, file)
    except (OSError, ValueError, KeyError, TypeError, FaceplateError):
        return None
    return told if told.get("mark") == mark.as_json() else None


def write_status(file: Path, mark: Mark, told: dict[str, Any], *, lua: bool) -> None:
    """Write the status, and what goes with it; raises OutputError."""
    document = {"schema": SCHEMA, "file": file.name, "mark": mark.as_json(), **told}
    with whole_file(status_path(file)) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    error = told.get("error")
    if error:
        with whole_file(error_path(file)) as temporary:
            temporary.write_text(
                f"{file.name}: {error['message']}\n{error.get('remedy') or ''}".strip() + "\n", "utf-8"
            )
    else:
        error_path(file).unlink(missing_ok=True)
    if lua:
        write_answer(answer_path(file), {**told, "file": file.name})


def write_answer(path: Path, told: dict[str, Any], mode: int = 0o666) -> None:
    """Write what a script in a host loads; mode: who may read it. Raises OutputError."""
    with whole_file(path, sync=False) as temporary:
        temporary.touch(mode)
        temporary.write_text(f"return {to_lua(told)}\n", "utf-8")


def of_job(job: dict[str, Any]) -> dict[str, Any]:
    """What is told of a job of the engine. exit_status of an error: which kind it is, 10 where consent forbids it."""
    told = {"state": job["state"], "kind": job["kind"], "job": job["id"]}
    if job["state"] == "finished":
        return {**told, "result": job["result"]}
    if job["state"] == "cancelled":
        error = {"message": "the job was cancelled", "remedy": "Drop the file again"}
        return {**told, "state": "failed", "error": error}
    if job["state"] == "failed":
        why = job["error"]
        error = {"message": why["message"], "remedy": why.get("remedy"), "exit_status": why["exit_status"]}
        return {**told, "error": error}
    return {**told, "state": "running", "progress": job["progress"]}


def of_failure(e: Exception) -> dict[str, Any]:
    """What is told where there is no job, or none any more."""
    log_failure(_log, e)
    message = e.message if isinstance(e, EngineError) else getattr(e, "what", None) or str(e)
    message += f" (log: {file})" if (file := log_file()) else ""
    return {"state": "failed", "error": {"message": message, "remedy": getattr(e, "remedy", None)}}


def to_lua(value: Any) -> str:
    """A JSON value as a Lua expression; null becomes nil, and what is neither text nor a finite number is refused."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if value != value or value in (float("inf"), float("-inf")):
            return "nil"
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(_escaped(byte) for byte in value.encode("utf-8")) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"[{to_lua(str(k))}]={to_lua(v)}" for k, v in value.items()) + "}"
    return "{" + ",".join(map(to_lua, value)) + "}"


def _escaped(byte: int) -> str:
    # Numbers of three digits: what follows may be a digit too.
    return chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}"
