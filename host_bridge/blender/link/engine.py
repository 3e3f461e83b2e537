# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the engine, or start it, in steps; what came of it is noted in `standing`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .standing import note, state
from .steps import Steps, waited, walk

if TYPE_CHECKING:
    from ..client import Client

_EXTENSION = __package__.rpartition(".")[0]
START = "Press Start Engine"


@cache
def api() -> Any:
    """The client, loaded when it is first needed: with HTTP it takes a twentieth of a second, which Blender's start must not wait for."""
    from .. import client

    return client


def start_engine(on_end: Callable[[], None] | None = None) -> None:
    """Start the engine unless it runs; `state()` says what came of it. on_end: is called then."""

    def steps() -> Steps[None]:
        with suppress(api().EngineError):
            yield from started(engine_python())

    walk(steps(), lambda _: on_end and on_end())


def refresh() -> None:
    """Look whether the engine runs; `state()` says what was found."""
    walk(looked(), lambda _: None)


def look() -> Client | None:
    """The engine that runs, or None, and `state()` why; this waits."""
    return waited(looked())


def looked() -> Steps[Client | None]:
    """The engine that runs, or None, and `state()` why."""
    client, found = yield from find()
    note(**found)
    return client


def find() -> Steps[tuple[Client | None, dict[str, str]]]:
    """The engine that runs, or None; and what there is to note of it."""
    address = None
    try:
        address = api().read_address(api().state_folder())
        if address is None:
            raise api().EngineGone("the engine is not running")
        client = api().Client(address)
        found = yield from client.steps("GET", "/v1/status")
    except api().EngineGone:
        return None, _noted("stopped", message="the engine is not running", remedy=START)
    except api().EngineError as e:
        message, remedy = e.message, e.remedy or ""
        if e.status in (401, 403) and address is not None:
            message = "the engine does not know the token that lies in its file"
            remedy = f"End its process, {address.pid}, and press Start Engine"
        return None, _noted("refused", message=message, remedy=remedy)
    told = str(found["version"])
    if told != version():
        message = f"the engine is Faceplate {told}, this extension {version()}"
        remedy = "Install the extension again with install/blender.py, or stop the engine and press Start Engine"
        return None, _noted("other version", told, client.page, message, remedy)
    return client, _noted("running", told, client.page)


def _noted(engine: str, version: str = "", page: str = "", message: str = "", remedy: str = "") -> dict[str, str]:
    return {"engine": engine, "version": version, "page": page, "message": message, "remedy": remedy}


def started(python: str | None) -> Steps[Client]:
    """The engine, started if there is none. Raises EngineError, which `state()` holds too."""
    if client := (yield from looked()):
        return client
    try:
        if state().engine != "stopped":
            raise api().EngineError(state().message, remedy=state().remedy)
        if python is None:
            raise api().EngineError(
                "the engine is not running, and where Faceplate is installed is not known",
                remedy="Name its Python in the extension's preferences, or set FACEPLATE_PYTHON",
            )
        yield from api().start(api().state_folder(), python=python)
        if client := (yield from looked()):
            return client
        raise api().EngineError(state().message, remedy=state().remedy)
    except api().EngineError as e:
        note(message=e.message, remedy=e.remedy or "")
        raise


def engine_python() -> str | None:
    """The interpreter of Faceplate's environment: the preference, else FACEPLATE_PYTHON; None where neither says."""
    extension = bpy.context.preferences.addons.get(_EXTENSION)
    told = getattr(extension.preferences, "python", "") if extension and extension.preferences else ""
    return (bpy.path.abspath(told) if told else "") or os.environ.get("FACEPLATE_PYTHON") or None


@cache
def version() -> str:
    """This extension's own version."""
    import tomllib

    manifest = tomllib.loads((Path(__file__).parent.parent / "blender_manifest.toml").read_text("utf-8"))
    return str(manifest["version"])
