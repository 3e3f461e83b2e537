"""Who may be used for what: what a host shows where performers are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.jobs.job import Kind, Request, Watch, absolute
from nodes.definitions import Method, SwapParameters


class PerformersRequest(Request):
    """A shot that is to be made: its plate, the source's footage, Swap's parameters. near: a place in the project, such as the host's own file."""

    plate: Path | None = None
    source: Path | None = None
    near: Path | None = None
    swap: SwapParameters = SwapParameters()

    @property
    def title(self) -> str:
        """What it is about."""
        return "performers" if self.plate is None else f"performers of {self.plate.name}"


def run(request: PerformersRequest, watch: Watch) -> dict[str, Any]:
    """Look; the result is `faceplate.performers/1`, its `project` null where there is none, and of a plate how `target` and `source` stand."""
    from nodes.consent import clock
    from nodes.consent.check import current_book
    from nodes.consent.grant import Clip, Model, faces_of
    from nodes.consent.project import find_project
    from nodes.consent.standing import SCHEMA, of_face, of_project
    from nodes.shot.digest import digest_file, digest_footage

    plate, source = (path and absolute(path) for path in (request.plate, request.source))
    asked = request.swap
    project = find_project(request.near, plate, source, told=asked.project)
    none: dict[str, Any] = {"schema": SCHEMA, "project": None, "production": None, "performers": []}
    told = of_project(current_book(project, clock.now()), asked.production) if project else none
    if plate is not None:
        file = asked.model if asked.method is Method.MODEL else None
        model = Model.of(absolute(file), digest_file(absolute(file))) if file else None
        clips = [Clip(path, digest_footage(path)) if path else None for path in (plate, source)]
        assert clips[0] is not None
        faces = faces_of(clips[0], clips[1], model, asked)
        told |= {
            role: of_face(face, project, asked.production)
            for role, face in zip(("target", "source"), faces, strict=True)
        }
        told["model_known"] = model is None or model.provenance is not None
    return told


KIND = Kind(
    "performers",
    "Say who may be used for what, by the records of consent.",
    PerformersRequest,
    run,
    priority=100,
    warm=True,
)
