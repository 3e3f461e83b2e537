"""Now, and what a day is."""

from __future__ import annotations

from datetime import UTC, date, datetime


def now() -> datetime:
    """Now, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def day(time: datetime) -> date:
    """The day of a consent's dates: it begins and ends at midnight in UTC, everywhere."""
    return time.astimezone(UTC).date()
