"""Waiting for conditions instead of for seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], seconds: float = 15.0, *, every: float = 0.01) -> T:
    """Look until there is something to see, and return it; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(every)
    return seen
