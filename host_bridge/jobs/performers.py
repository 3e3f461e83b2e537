"""Who may be used for what: hosts show it where performers are chosen."""

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
        """The plate's name."""
        return "performers" if self.plate is None else f"performers of {self.plate.name}"


def run(request: PerformersRequest, watch: Watch) -> dict[str, Any]:
    """Look; the result is `faceplate.performers/1`, its `project` null where there is none.

    Of a plate how it stands: `allowed`, `target` and `source`, each with the records by which, and in `said` the sentence that a host shows.
    """
    from nodes.cache import digest_file, digest_footage
    from nodes.consent.gate import Clip, of_swap, project_book, standing

    swap, paths = request.swap, [path and absolute(path) for path in (request.plate, request.source)]
    plate, source = (Clip(path, digest_footage(path)) if path else None for path in paths)
    book = project_book([], swap, request.near, *paths)
    project = book.document() if book else {"project": None, "production": None, "performers": []}
    answer = {"schema": "faceplate.performers/1", **project}
    if plate is None:
        return answer
    file = absolute(swap.model) if swap.model and swap.method is Method.MODEL and not request.train else None
    wanted = of_swap(plate, source, Clip(file, digest_file(file)) if file else None, swap)
    return answer | standing(wanted, book, train=request.train)


KIND = Kind(
    "performers",
    "Say who may be used for what, by the records of consent.",
    PerformersRequest,
    run,
    priority=100,
    warm=True,
)
