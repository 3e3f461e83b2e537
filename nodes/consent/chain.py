"""The chain of a project's records: read as far as it holds, with all that is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from nodes.consent.keys import is_signed
from nodes.consent.memory import Seen, recall, recall_all
from nodes.consent.project import HEAD, record_file, records_folder
from nodes.consent.reading import read_strictly
from nodes.consent.record import SCHEMA, Entry, Fault, ProjectRecord, RevocationRecord, canonical, parse
from nodes.errors import SchemaError
from nodes.text import counted

HEAD_SCHEMA = "faceplate.consent-head/1"
_CANNOT = "whether the last records were deleted cannot be told"
_NUMBERED = re.compile(r"([0-9]*[1-9][0-9]*)\.json")


@dataclass(frozen=True)
class Chain:
    """The records of a project in their order, and what is wrong with them; with a fault none of them counts.

    seen: what this machine remembered of the project at this place before they were read; known: and of the same one at all places.
    """

    project: Path
    entries: tuple[Entry, ...] = ()
    faults: tuple[Fault, ...] = ()
    seen: Seen | None = None
    known: tuple[Seen, ...] = ()

    @property
    def opened(self) -> ProjectRecord | None:
        """The record that the project began with."""
        body = self.entries[0].body if self.entries else None
        return body if isinstance(body, ProjectRecord) else None

    @property
    def elsewhere(self) -> dict[str, date]:
        """Consents that were revoked at any place, of which this machine knows; each with the day."""
        return {id: day for seen in self.known for id, day in seen.revoked.items()}


def read_chain(project: Path) -> Chain:
    """Read and check all records of a project. Raises SchemaError for records of a newer Faceplate, which cannot be judged."""
    # Others may be adding: what counts the records is read before the records.
    seen, (head, *faults) = recall(project), _head(project)
    folder = records_folder(project)
    numbers = sorted({int(m[1]) for f in folder.glob("*.json") if (m := _NUMBERED.fullmatch(f.name))})
    entries: list[Entry] = []
    for before, number in pairwise([0, *numbers]):
        path = record_file(project, number)
        if gone := number - before - 1:
            more = f"this record and {gone - 1} behind it are missing: they were deleted"
            one = "this record is missing: it was deleted"
            faults.append(Fault(one if gone == 1 else more, record_file(project, before + 1)))
        entry = _read(path, faults)
        if entry is None:
            continue
        if fault := _out_of_place(entry, number, entries):
            faults.append(Fault(fault, path))
        entries.append(entry)
    faults += _of_signatures(project, entries)
    faults += _of_head(project, head, entries)
    opened = entries[0].body if entries else None
    known = recall_all(opened.id) if isinstance(opened, ProjectRecord) else ()
    return Chain(project, tuple(entries), tuple(faults), seen, tuple(known))


def head_of(entry: Entry) -> dict[str, Any]:
    """The head's document, unsigned: how many records there are up to `entry`, and its hash."""
    return {"schema": HEAD_SCHEMA, "count": entry.number, "hash": entry.hash}


def _read(path: Path, faults: list[Fault]) -> Entry | None:
    try:
        return parse(read_strictly(path, SCHEMA))
    except FileNotFoundError:
        faults.append(Fault("this record is missing: it was deleted", path))
    except SchemaError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError) as e:
        faults.append(Fault(f"this record is damaged ({type(e).__name__})", path))
    return None


def _out_of_place(entry: Entry, number: int, before: list[Entry]) -> str | None:
    """What is wrong with the place of a record behind those before it; None when nothing is."""
    if entry.number != number:
        return f"holds record {entry.number}: records were put in another order"
    if (entry.number == 1) != isinstance(entry.body, ProjectRecord):
        return "a project begins with the record of itself, and has no other"
    if not before:
        return "names a record before the first" if number == 1 and entry.previous else None
    last = before[-1]
    if last.number == number - 1 and entry.previous != last.hash:
        return f"does not follow record {last.number} as that is now: one of the two was changed or exchanged"
    if entry.time < last.time:
        return f"is from {_told(entry)}, before the record before it ({_told(last)}): a clock was moved back"
    return None


def _of_signatures(project: Path, entries: list[Entry]) -> list[Fault]:
    opened = entries[0].body if entries else None
    if not isinstance(opened, ProjectRecord):
        return []
    faults = []
    for entry in entries:
        path = record_file(project, entry.number)
        # Whoever takes consent away needs no permission: a revocation may carry anybody's signature.
        if entry.key != opened.key and not isinstance(entry.body, RevocationRecord):
            faults.append(Fault("is signed with another key than the project's", path))
        elif not is_signed(entry.signed, entry.signature, entry.key):
            faults.append(Fault("was changed after it was signed", path))
    return faults


def _head(project: Path) -> tuple[dict[str, Any] | None, *tuple[Fault, ...]]:
    """The head's document, None if there is none, and what is wrong with it if it cannot be read."""
    path = records_folder(project) / HEAD
    try:
        head = read_strictly(path, HEAD_SCHEMA)
        return (
            {
                "count": int(head["count"]),
                "hash": str(head["hash"]),
                "signature": str(head.pop("signature")),
                "signed": canonical(head),
            },
        )
    except FileNotFoundError:
        return (None,)
    except SchemaError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return None, Fault(f"is damaged: {_CANNOT}", path)


def _of_head(project: Path, head: dict[str, Any] | None, entries: list[Entry]) -> list[Fault]:
    """What the head tells of records that are gone. Records behind it count if their signatures do."""
    opened = entries[0].body if entries else None
    if not isinstance(opened, ProjectRecord):
        return [Fault("the first record is missing: it was deleted", record_file(project, 1))]
    path = records_folder(project) / HEAD
    if head is None:
        # A process was killed when it had made the project: nothing is recorded yet, and nobody may be used.
        begun = path.exists() or len(entries) == 1
        return [] if begun else [Fault(f"is missing: {_CANNOT}", path)]
    count = head["count"]
    if not is_signed(head["signed"], head["signature"], opened.key):
        return [Fault("was changed, or is signed with another key than the project's", path)]
    last = next((e for e in entries if e.number == count), None)
    if last is None:
        return [
            Fault(f"counts {counted(count, 'record')}, there are {entries[-1].number}: the last were deleted", path)
        ]
    if last.hash != head["hash"]:
        return [Fault(f"record {count} is another than the one that was counted", record_file(project, count))]
    return []


def _told(entry: Entry) -> str:
    return f"{entry.time:%Y-%m-%d %H:%M} UTC"
