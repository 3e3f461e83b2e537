"""What this user's machine remembers of projects, outside of them: so a key that was replaced and records that were rolled back show."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.consent.clock import day
from nodes.consent.keys import fingerprint, keys_folder
from nodes.consent.project import HEAD, record_file, records_folder
from nodes.consent.record import Fault
from nodes.errors import OutputError
from nodes.footage.whole import whole_file

if TYPE_CHECKING:
    from nodes.consent.chain import Chain

SCHEMA = "faceplate.known-project/1"


@dataclass(frozen=True, slots=True)
class Seen:
    """A project as it was when it was last looked at: its id, its public key, how many records, the hash of the last, and the day."""

    id: str
    key: str
    count: int
    hash: str
    day: str


def recall(project: Path) -> Seen | None:
    """What is remembered of the project at this place."""
    return _read(_file(project))


def remember(chain: Chain, now: datetime, *, anew: bool = False) -> None:
    """Note how a sound chain stands; anew: forget what was known before. A machine that cannot write remembers nothing."""
    opened, seen = chain.opened, recall(chain.project)
    if opened is None:
        return
    today, last = day(now).isoformat(), chain.entries[-1]
    if seen and not anew:
        today = max(today, seen.day)
    new = Seen(opened.id, opened.key, last.number, last.hash, today)
    if new != seen:
        with suppress(OutputError), whole_file(_file(chain.project), sync=False) as temporary:
            temporary.write_text(json.dumps({"schema": SCHEMA, **asdict(new)}), "utf-8")


def compare(chain: Chain) -> list[Fault]:
    """What is other than this machine remembers it."""
    opened, seen = chain.opened, chain.seen
    if opened is None:
        return []
    other = seen if seen and seen.key != opened.key else _another_key(opened.id, opened.key)
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


def last_day(project: Path) -> date | None:
    """The latest day on which this machine looked at the project."""
    seen = recall(project)
    with suppress(ValueError):
        return date.fromisoformat(seen.day) if seen else None
    return None


def _another_key(id: str, key: str) -> Seen | None:
    """The same project, at any place, as it is remembered with another key."""
    known = (_read(file) for file in (keys_folder() / "known").glob("*.json"))
    return next((seen for seen in known if seen and seen.id == id and seen.key != key), None)


def _read(file: Path) -> Seen | None:
    try:
        told = json.loads(file.read_bytes())
        return Seen(**{name: told[name] for name in Seen.__slots__}) if told["schema"] == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(project: Path) -> Path:
    name = hashlib.sha256(str(project.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    return keys_folder() / "known" / f"{name}.json"
