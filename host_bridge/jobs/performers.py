"""Who may be used for what: what a host shows where performers are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host_bridge.jobs.job import Kind, Request, absolute
from host_bridge.reporting import Watch
from nodes.definitions import Method, SwapParameters


class PerformersRequest(Request):
    """A shot that is to be made: its plate, the source's footage, Swap's parameters. near: a place in the project, such as the host's own file.

    train: a model is to be trained on the two.
    """

    plate: Path | None = None
    source: Path | None = None
    near: Path | None = None
    train: bool = False
    swap: SwapParameters = SwapParameters()

    @property
    def title(self) -> str:
        """What it is about."""
        return "performers" if self.plate is None else f"performers of {self.plate.name}"


def run(request: PerformersRequest, watch: Watch) -> dict[str, Any]:
    """Look; the result is `faceplate.performers/1`, its `project` null where there is none.

    Of a plate how it stands: `allowed`, `target` and `source`, each with the records by which, and in `said` what a host shows of it.
    """
    from nodes.cache import digest_file, digest_footage
    from nodes.consent import clock
    from nodes.consent.check import current_book
    from nodes.consent.grant import Clip, Model
    from nodes.consent.project import find_project
    from nodes.consent.standing import SCHEMA, of_project, of_shot, of_training

    plate, source = (path and absolute(path) for path in (request.plate, request.source))
    asked = request.swap
    project = find_project(request.near, plate, source, told=asked.project)
    none: dict[str, Any] = {"schema": SCHEMA, "project": None, "production": None, "performers": []}
    told = of_project(current_book(project, clock.now()), asked.production) if project else none
    if plate is None:
        return told
    target, put_in = Clip(plate, digest_footage(plate)), Clip(source, digest_footage(source)) if source else None
    if request.train:
        return told | of_training(target, put_in, asked, project)
    file = asked.model and absolute(asked.model) if asked.method is Method.MODEL else None
    model = Model.of(file, digest_file(file)) if file else None
    known = model is None or model.provenance is not None
    return told | of_shot(target, put_in, model, asked, project) | {"model_known": known}


KIND = Kind(
    "performers",
    "Say who may be used for what, by the records of consent.",
    PerformersRequest,
    run,
    priority=100,
    warm=True,
)
