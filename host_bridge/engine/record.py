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
    curve: (step, loss), at most 200.
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
        hidden = _INTERNAL if curve else _INTERNAL | {"curve"}
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        told["preview"] = None if self.preview is None else f"/v1/jobs/{self.id}/preview?v={self.preview}"
        return told


COLUMNS: Final = tuple(f.name for f in fields(Job))


def to_row(values: dict[str, Any]) -> dict[str, Any]:
    """Values as SQLite keeps them: what has parts becomes JSON."""
    return {
        name: json.dumps(value, ensure_ascii=False) if name in _JSON and value is not None else value
        for name, value in values.items()
    }


def from_row(row: tuple[Any, ...]) -> Job:
    """A row, in the order of COLUMNS."""
    values = dict(zip(COLUMNS, row, strict=True))
    for name in _JSON:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    for name in ("cancelling", "again"):
        values[name] = bool(values[name])
    return Job(**values)
