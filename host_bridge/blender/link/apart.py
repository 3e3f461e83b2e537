# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be cut into steps has a process of its own: pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .steps import Steps


def in_process(arguments: Sequence[Any]) -> Steps[Any]:
    """Do a word of `pictures.__main__` in a process of its own, and return what came of it. Raises OSError."""
    quiet: dict[str, Any] = {}
    if sys.platform == "win32":
        quiet = {"creationflags": subprocess.CREATE_NO_WINDOW}
    own = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as wrong:
        child = subprocess.Popen(
            [sys.executable, "-m", "pictures", *map(str, arguments)],
            cwd=Path(__file__).parent.parent,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=wrong,
            **quiet,
        )
        try:
            while child.poll() is None:
                yield
        finally:
            child.kill()
            child.wait()
        if child.returncode:
            wrong.seek(0)
            lines = wrong.read().decode(errors="replace").splitlines()
            raise OSError(lines[-1] if lines else f"a process ended with status {child.returncode}")
        said.seek(0)
        return json.loads(said.read())
