"""All that can be found wrong with a project's records, and the user's word that a change is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nodes.consent import clock, documents
from nodes.consent.book import book_of
from nodes.consent.chain import Chain, read_chain
from nodes.consent.continuity import compare, remember
from nodes.consent.keys import fingerprint, load_key, public
from nodes.consent.record import Fault
from nodes.consent.write import check_clock
from nodes.errors import ConsentError


@dataclass(frozen=True, slots=True)
class Verified:
    """A project that was verified. key: its fingerprint, to compare with one that was noted. mine: whether this user can add."""

    chain: Chain
    faults: tuple[Fault, ...]
    key: str | None
    mine: bool


def verify(project: Path, *, trust: str | None = None, now: datetime | None = None) -> Verified:
    """Check all of it, kept documents too. trust: fingerprint of the key that is right, though this machine knew another state."""
    now = now or clock.now()
    chain = read_chain(project)
    opened = chain.opened
    key = fingerprint(opened.key) if opened else None
    if trust is not None:
        if chain.faults or trust.replace("-", "").lower() != (key or "").replace("-", ""):
            raise ConsentError(
                f"cannot be trusted: {chain.faults[0].what if chain.faults else f'its key is {key}'}",
                file=project,
                remedy="Restore performers/ from a copy, or compare the fingerprint again",
            )
        remember(chain, now, anew=True)
        chain = read_chain(project)
    faults = [*chain.faults, *compare(chain)]
    if opened and not chain.faults:
        faults += documents.faults(book_of(chain))
        try:
            check_clock(book_of(chain), now)
        except ConsentError as e:
            faults.append(Fault(e.what, project))
    if not faults:
        remember(chain, now)
    try:
        held = load_key(opened.id) if opened else None
    except ConsentError:
        held = None
    return Verified(chain, tuple(faults), key, bool(opened and held and public(held) == opened.key))
