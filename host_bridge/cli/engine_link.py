"""The engine as commands see it: what it refuses ends a command like any other error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from host_bridge.client import Client, EngineError, connect
from nodes.errors import FaceplateError


class EngineRefusal(FaceplateError):
    """What the engine refuses, or that there is none."""

    def __init__(self, error: EngineError) -> None:
        super().__init__(error.message, remedy=error.remedy)
        # A wrong request ends a command like a wrong option.
        self.exit_status = 2 if error.status in (400, 403, 404, 409, 422) else 1


@contextmanager
def refusals() -> Iterator[None]:
    """Raise EngineRefusal, a FaceplateError, for what the client raises."""
    try:
        yield
    except EngineError as e:
        raise EngineRefusal(e) from e


@contextmanager
def engine() -> Iterator[Client]:
    """The engine, started if there is none."""
    with refusals():
        yield connect()
