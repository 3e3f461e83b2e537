# SPDX-License-Identifier: GPL-3.0-or-later
"""From a button to the engine and back: the node says what is to be done, and is told what came of it, if it is still there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import consent, link, media, migration
from .find import find

_ASKS_CONSENT = {"swap": "{}", "preview": "{}", "faceset": "{} train", "train": "{} train"}  # job: under which key
_under_way: dict[str, link.Ticket] = {}


@dataclass(frozen=True, slots=True)
class Task:
    """One job. after: see `link.submit`. done: is given the node and the job, and returns what to say, or the next
    task; it raises MediaError where the job has found out that something is wrong. Neither may hold Blender's data."""

    kind: str
    request: dict[str, Any]
    done: Callable[[Any, link.Job], Task | str]
    after: link.After | None = None


def run(node: Any, action: str, scene: Any) -> bool:
    """Begin what a button says; False where it cannot, and the node says why."""
    if node.uid in _under_way:
        return True
    try:
        if migration.is_newer(node):
            raise migration.NEWER
        migration.migrate(node)
        task = node.task(action, scene)
    except media.MediaError as e:
        _say(node, "ERROR", e.message, e.remedy)
        return False
    _begin(node, task)
    return True


def cancel(uid: str) -> None:
    """End what is under way for a node; what waits for an engine that has gone is forgotten."""
    if ticket := _under_way.get(uid):
        ticket.cancel()


def busy(uid: str) -> bool:
    """Whether something is under way for a node."""
    return uid in _under_way


def forget() -> None:
    """Nothing is under way any more."""
    _under_way.clear()


def _begin(node: Any, task: Task) -> None:
    uid = node.uid
    _say(node, "BUSY", f"{task.kind}: asking the engine")
    node.progress = 0.0
    _under_way[uid] = link.submit(
        task.kind,
        task.request,
        after=task.after,
        on_change=lambda job: _changed(uid, job),
        on_end=lambda job: _ended(uid, task, job),
    )


def _changed(uid: str, job: link.Job) -> None:
    node, progress = find(uid), job.get("progress")
    if node is None or uid not in _under_way:
        return
    text = f"{job['kind']}: waiting" if job["state"] == "queued" else job["kind"]
    if progress and progress.get("total"):
        node.progress = progress["done"] / progress["total"]
        text = f"{progress['stage']} {progress['done']} of {progress['total']}"
    if job["state"] == link.LOST:
        text = "The engine has gone: press Start Engine"
    _say(node, "BUSY", text)


def _ended(uid: str, task: Task, job: link.Job) -> None:
    _under_way.pop(uid, None)
    node = find(uid)
    if node is None:
        return
    if key := _ASKS_CONSENT.get(task.kind):
        consent.ended(key.format(uid), job)
    if job["state"] == "cancelled":
        _say(node, "IDLE", "Cancelled")
    elif job["state"] == "failed":
        error = job.get("error") or {}
        _say(node, "ERROR", error.get("message", "the job failed"), error.get("remedy") or "")
    else:
        _done(node, task, job)


def _done(node: Any, task: Task, job: link.Job) -> None:
    try:
        told = task.done(node, job)
    except media.MediaError as e:
        _say(node, "ERROR", e.message, e.remedy)
        return
    if isinstance(told, Task):
        _begin(node, told)
    else:
        _say(node, "DONE", told)


def _say(node: Any, state: str, message: str, remedy: str = "") -> None:
    node.state, node.message, node.remedy = state, message, remedy
