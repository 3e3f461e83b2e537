"""Commands as the user's own shell takes them, for messages that say what to type."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

_PLAIN = re.compile(r"[\w.,:=+/\\-]+")  # nothing that cmd or PowerShell read as theirs


def command_line(*words: str, windows: bool = os.name == "nt") -> str:
    """One line to paste into a shell: of POSIX, else cmd or PowerShell, which know double quotes alone."""
    return " ".join(map(_for_windows, words)) if windows else shlex.join(words)


def _for_windows(word: str) -> str:
    quoted = subprocess.list2cmdline([word])
    return quoted if quoted.startswith('"') or _PLAIN.fullmatch(word) else f'"{quoted}"'
