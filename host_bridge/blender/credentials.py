# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what Blender shows is still what was signed. The engine verifies its files, and says so; what was made of them here is made again, and compared."""

from __future__ import annotations

from typing import Any

_NOT_INTACT = 11  # a status of the job `credentials`: changed, or stripped of what was signed


def verdict(job: dict[str, Any]) -> tuple[bool, str]:
    """Whether something was changed, and what the engine and a comparison have found, in words."""
    found, differ = job["result"], job.get("made", [])
    said = [found["said"]]
    if differ:
        more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
        said.append(f"What Blender reads was changed after it was made of them: {', '.join(differ[:5])}{more}.")
    return found["status"] == _NOT_INTACT or bool(differ), " ".join(said)
