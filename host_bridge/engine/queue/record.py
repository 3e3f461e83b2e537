"""A job as everyone sees it, and as a row of the queue's table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

State = Literal["queued", "running", "finished", "failed", "cancelled"]
ACTIVE: Final = ("queued", "running")

# What only the engine has to know.
_INTERNAL = frozenset({"seq", "key", "lane", "cancelling", "again", "kills", "outputs"})
_JSON = frozenset({"request", "progress", "metrics", "curve", "pictures", "error", "result", "messages", "outputs"})


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    seq orders jobs by submission, whatever the clock says; created, started and ended are seconds since 1970, for people. lane: what it
    waits for: "device", or the name of a warm kind. cancelling: its user has asked for its end. again: its next run goes on with what the
    last one left. kills: how often its process was killed since it was submitted or retried. outputs: what its files were when it finished.
    curve: (step, loss), at most 200. error: message, remedy (None where nobody knows one, or in the message of earlier versions), exit_status.
    """

    id: str
    kind: str
    title: str
    request: dict[str, Any]
    key: str
    lane: str
    device: str
    priority: int = 0
    state: State = "queued"
    attempt: int = 1
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    progress: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    curve: list[list[float]] = field(default_factory=list)
    preview: int | None = None
    pictures: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    messages: list[str] = field(default_factory=list)
    outputs: dict[str, Any] | None = None
    cancelling: bool = False
    again: bool = False
    kills: int = 0
    seq: int = 0

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.state in ACTIVE

    def as_json(self, curve: bool = False) -> dict[str, Any]:
        """The job for HTTP and `--json`; the curve only where it is asked for."""
        told = {name: getattr(self, name) for name in _TOLD}
        told["preview"] = None if self.preview is None else f"/v1/jobs/{self.id}/preview?v={self.preview}"
        return told | {"curve": self.curve} if curve else told


COLUMNS: Final = tuple(f.name for f in fields(Job))
_TOLD: Final = tuple(name for name in COLUMNS if name not in _INTERNAL and name != "curve")
_LISTS: Final = frozenset({"curve", "pictures", "messages"})
_PARTS: Final = tuple((i, name in _LISTS) for i, name in enumerate(COLUMNS) if name in _JSON)
_ERROR: Final = COLUMNS.index("error")
_FLAGS: Final = tuple(COLUMNS.index(name) for name in ("cancelling", "again"))


def to_row(values: dict[str, Any]) -> dict[str, Any]:
    """Values as SQLite keeps them: what has parts becomes JSON, an empty list NULL."""
    return {name: _as_text(value) if name in _JSON else value for name, value in values.items()}


def from_row(row: tuple[Any, ...]) -> Job:
    """A row, in the order of COLUMNS."""
    values = list(row)
    for i, is_list in _PARTS:
        if (text := values[i]) is not None:
            values[i] = json.loads(text)
        elif is_list:
            values[i] = []
    for i in _FLAGS:
        values[i] = bool(values[i])
    if values[_ERROR] is not None:
        values[_ERROR] = {"remedy": None, **values[_ERROR]}
    return Job(*values)


def _as_text(value: Any) -> str | None:
    return None if value is None or value == [] else json.dumps(value)  # ASCII, whatever bytes a file's name has
