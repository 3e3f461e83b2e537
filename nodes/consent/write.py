"""New records: appended to a project's chain, one process at a time, each file whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock, Timeout

from nodes.consent import clock
from nodes.consent.book import Book, book_of, require_sound
from nodes.consent.chain import Chain, head_of, read_chain
from nodes.consent.continuity import last_day, remember
from nodes.consent.keys import OWN, key_file, load_key, make_key, public
from nodes.consent.project import HEAD, is_project, record_file, records_folder
from nodes.consent.record import Body, ProjectRecord, RevocationRecord, canonical, new_id, parse, unsigned
from nodes.errors import ConsentError, writing
from nodes.files import whole_file

_PATIENCE = 20.0  # seconds
_DIFFER = timedelta(minutes=10)  # the clocks of machines that share a project


def open_project(folder: Path, production: str, now: datetime | None = None) -> Path:
    """Make a folder a project, with a key of its own; one that is a project already stays as it is. Returns the folder."""
    folder, now = folder.expanduser().resolve(), now or clock.now()
    with _alone(folder):
        if not is_project(folder):
            id = new_id("project")
            key = make_key(id)
            chain = _appended(Chain(folder), [ProjectRecord(id=id, production=production, key=public(key))], key, now)
            remember(chain, now)
    return folder


def append(project: Path, decide: Callable[[Book], Sequence[Body]], now: datetime | None = None) -> Book:
    """Append the records that `decide` makes of what the project says now, and return what it says then.

    Raises ConsentError when the records there cannot be relied on, the clock is behind them, or this user has not the project's key
    and the records are more than revocations; OutputError.
    """
    now = now or clock.now()
    with _alone(project):
        chain = read_chain(project)
        require_sound(chain)
        book = book_of(chain)
        check_clock(book, now)
        bodies = list(decide(book))
        key = load_key(book.opened.id)
        if key is None or public(key) != book.opened.key:
            key = load_key(OWN) or make_key(OWN) if all(isinstance(b, RevocationRecord) for b in bodies) else None
        if key is None:
            path = key_file(book.opened.id)
            raise ConsentError(
                "you have not the key of this project, so you cannot add to its records; what they allow and forbid counts all the same",
                file=project,
                remedy=f"Add it where the project was made, or have its key brought from there: the file {path.name}, to {path}, readable by you alone",
            )
        chain = _appended(chain, bodies, key, now) if bodies else chain
        remember(chain, now)
        return book_of(chain)


def check_clock(book: Book, now: datetime) -> None:
    """Raise ConsentError when the clock tells a time that cannot be: before the newest record, or a day before one it told earlier."""
    seen, latest = last_day(book.chain), now + _DIFFER
    if latest < book.newest or (seen is not None and clock.day(latest) < seen):
        told = f"{book.newest:%Y-%m-%d %H:%M} UTC" if latest < book.newest else str(seen)
        raise ConsentError(
            f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, but the project was in use on {told}: the clock was moved back",
            file=book.project,
            remedy="Set the clock right",
        )


@contextmanager
def _alone(project: Path) -> Iterator[None]:
    folder = records_folder(project)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock", timeout=_PATIENCE):
                yield
        except Timeout as e:
            raise ConsentError(
                "another process is writing records",
                file=folder,
                remedy="Try again; if nothing else runs, delete .lock there",
            ) from e


def _appended(chain: Chain, bodies: Sequence[Body], key: Ed25519PrivateKey, now: datetime) -> Chain:
    entries = list(chain.entries)
    for body in bodies:
        last = entries[-1] if entries else None
        number, previous = (last.number + 1, last.hash) if last else (1, "")
        time = max(now, last.time) if last else now
        raw = unsigned(number, time, previous, public(key), body)
        entry = parse(_signed(raw, key))
        _write(record_file(chain.project, number), entry.raw)
        entries.append(entry)
    new = replace(chain, entries=tuple(entries))
    if new.opened and new.opened.key == public(key):
        _write(records_folder(chain.project) / HEAD, _signed(head_of(entries[-1]), key))
    return new


def _signed(raw: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    return {**raw, "signature": key.sign(canonical(raw)).hex()}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
