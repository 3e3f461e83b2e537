# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests say of performers: who they are, and by whose records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_OF_CONSENT = "project", "production"
# Swap's parameters on which it depends whether a shot may be made.
OF_SWAP = (*_OF_CONSENT, "target_performer", "source_performer", "method", "model")


def question(
    plate: str, source: str | None, near: Path, swap: dict[str, Any], *, train: bool = False
) -> dict[str, Any]:
    """The request of the job `performers`: whether a shot may be made, or a model be trained. near: where results go. swap: Swap's parameters."""
    asked = {name: swap[name] for name in OF_SWAP if name in swap}
    return {"plate": plate, "near": str(near), "swap": asked, "train": train} | ({"source": source} if source else {})


def of_faceset(role: str, label: str, swap: dict[str, Any]) -> dict[str, Any]:
    """Whose faceset it is, the `target`'s or the `source`'s; label: what it is called where nobody says who that is, or both are one."""
    said = swap.get(f"{role}_performer")
    one = swap.get("target_performer") == swap.get("source_performer")
    return {"performer": label if one or not said else said, **({"named": said} if said else {}), **by(swap)}


def by(swap: dict[str, Any]) -> dict[str, Any]:
    """By which records a faceset or a training asks."""
    return {"consent": {name: swap[name] for name in _OF_CONSENT if name in swap}}
