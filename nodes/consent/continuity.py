"""Whether a project goes on from where this machine saw it: a key that was replaced and records that were rolled back show."""

from __future__ import annotations

from datetime import date, datetime

from nodes.consent import clock
from nodes.consent.chain import Chain
from nodes.consent.keys import fingerprint
from nodes.consent.memory import Seen, forget, note, recall
from nodes.consent.project import HEAD, record_file, records_folder
from nodes.consent.record import Fault, RevocationRecord


def remember(chain: Chain, now: datetime, *, anew: bool = False) -> None:
    """Note how a sound chain stands; anew: forget what was known before, at whichever place, but for what was revoked."""
    opened, seen = chain.opened, recall(chain.project)
    if opened is None:
        return
    today, last, revoked = clock.day(now), chain.entries[-1], dict(chain.elsewhere)
    if anew:
        forget(opened.id)
    elif seen:
        today = max(today, seen.day)
    for entry in chain.entries:
        if isinstance(entry.body, RevocationRecord):
            revoked |= dict.fromkeys(entry.body.consents, clock.day(entry.time))
    new = Seen(id=opened.id, key=opened.key, count=last.number, hash=last.hash, day=today, revoked=revoked)
    if anew or new != seen:
        note(chain.project, new)


def compare(chain: Chain) -> list[Fault]:
    """What is other than this machine remembers it."""
    opened, seen = chain.opened, chain.seen
    if opened is None:
        return []
    other = next((s for s in (seen, *chain.known) if s and s.key != opened.key), None)
    if other is not None:
        was, is_ = fingerprint(other.key), fingerprint(opened.key)
        what = (
            f"the project's key is {is_}, this machine knows it by {was}: the records were made anew by somebody else"
        )
        return [Fault(what, record_file(chain.project, 1))]
    if seen is None:
        return []
    then = next((e for e in chain.entries if e.number == seen.count), None)
    if then is None:
        what = f"there are {len(chain.entries)} records, on {seen.day} this machine saw {seen.count}: the last were deleted"
        return [Fault(what, records_folder(chain.project) / HEAD)]
    if then.hash != seen.hash:
        what = f"is another record than this machine saw on {seen.day}"
        return [Fault(what, record_file(chain.project, seen.count))]
    return []


def last_day(chain: Chain) -> date | None:
    """The latest day on which this machine looked at the project, wherever that was then."""
    return max((seen.day for seen in (chain.seen, *chain.known) if seen), default=None)
