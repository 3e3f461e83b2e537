"""Content Credentials on the terminal: what a manifest says, and what verifying found, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nodes.credentials.claim import PARTS
from nodes.credentials.said import SOURCE_TYPES, Said
from nodes.credentials.verdict import STATES, Verdict
from nodes.text import printable


def print_verdicts(found: Sequence[Verdict]) -> None:
    """Print each file with what was found, and every fault on a line of its own."""
    for verdict in found:
        frames = f" ({verdict.frames} frames)" if verdict.frames and verdict.frames > 1 else ""
        print(f"{printable(str(verdict.file))}{frames}: {STATES[verdict.state]}")
        for fault in verdict.faults:
            print(f"  {printable(fault)}")


def print_said(verdict: Verdict) -> None:
    """Print what a manifest says, a line for each thing, and how far it can be believed."""
    print_verdicts([verdict])
    if verdict.said is None:
        return
    if not verdict.intact:
        print("  so what it says is not to be believed:")
    for name, value in _rows(verdict.said, verdict.time_trusted):
        print(f"  {name:<11} {printable(value)}")


def _rows(said: Said, time_trusted: bool) -> Iterator[tuple[str, str]]:
    swap = said.swap
    yield "what", next((told for part, told in PARTS.items() if part == swap.get("part")), said.title or "not said")
    yield "made with", said.software
    for action in said.actions:
        kind = f", {SOURCE_TYPES.get(action.source_type, action.source_type)}" if action.source_type else ""
        told = f": {action.description}" if action.description else ""
        when = f" ({action.when})" if action.when else ""
        yield "done", f"{action.action}{kind}{told}{when}"
    for name in ("plate", "source", "model"):
        yield from ((name, str(digest)) for digest in _list(swap.get(f"{name}s")))
    for consent in _list(swap.get("consents")):
        if isinstance(consent, dict):
            records = ", ".join(map(str, _list(consent.get("records"))))
            yield "consent", f"{consent.get('role')}: {records or 'none is recorded'}"
    for digest in _list(swap.get("unknown")):
        yield "warning", f"whom the model {digest} was trained on is not known"
    for ingredient in said.ingredients if not swap else ():
        yield "made from", " ".join(filter(None, (ingredient.get("title"), ingredient.get("relationship"))))
    yield "signed by", f"{said.signer} ({said.issuer}), certificate {said.serial}"
    if said.time:
        known = "a server that this machine trusts" if time_trusted else "a server that this machine does not know"
        yield "time-stamp", f"{said.time}, by {known}"
    else:
        yield "time-stamp", "none: when it was signed is only as sure as the clock of who signed"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
