"""Text for people: counted nouns, sentences, commands to paste, pages, and untrusted text without control characters."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

JOINERS = "\u200c\u200d"  # part of how names are written in Persian and in India
_PLAIN = re.compile(r"[\w.,:=+/\\-]+")  # nothing that cmd or PowerShell read as theirs
# A command at the end of a text is pasted with what stands behind it.
_COMMAND = re.compile(
    r"""(?: (?:^|:\ ) (?=['"]|\S*faceplate) | (?:^|[ :]) (?=faceplate|ffmpeg|oiiotool|pip|chmod) )
    ( (?: '[^']*faceplate' | "[^"]*faceplate(?:\.exe)?" | \S*faceplate(?:\.exe)? | ffmpeg | oiiotool | pip | chmod ) \ [^`]+ )$""",
    re.IGNORECASE | re.VERBOSE,
)


def counted(count: int, noun: str) -> str:
    """Write a number with its noun: `1 shot`, `2 shots`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def is_command(text: str) -> bool:
    """Tell whether a text ends with a command."""
    return _COMMAND.search(text) is not None


def sentence(text: str) -> str:
    """End a text with a full stop, unless it ends with a command, which can be pasted as it is."""
    return text if is_command(text) else text.rstrip(".") + "."


def command_line(*words: str, windows: bool = os.name == "nt") -> str:
    """Quote words as one line for a shell: POSIX, else cmd or PowerShell, which know double quotes alone."""
    return " ".join(map(_for_windows, words)) if windows else shlex.join(words)


def own_command(*words: str) -> str:
    """Quote a command of `faceplate` for a terminal, with the path of this environment's program unless PATH has it."""
    own = shutil.which("faceplate", path=str(Path(sys.executable).parent))
    return command_line("faceplate" if own in (None, shutil.which("faceplate")) else own, *words)


def _for_windows(word: str) -> str:
    quoted = subprocess.list2cmdline([word])
    return quoted if quoted.startswith('"') or _PLAIN.fullmatch(word) else f'"{quoted}"'


def is_printable(text: str) -> bool:
    """Tell whether a text is free of control and direction characters and of half characters."""
    return all(map(_is_visible, text))


def printable(text: str) -> str:
    """Sanitise untrusted text for display: each such character becomes a replacement character."""
    return "".join(c if _is_visible(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def _is_visible(character: str) -> bool:
    # Python counts spaces other than the common one as unprintable; macOS puts one into the names of screenshots.
    return character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs"


def quoted(text: str) -> str:
    """Quote a string for Lua, in ASCII alone."""
    escaped = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else "\\n" if b == 10 else f"\\{b:03d}" for b in text.encode()
    )
    return f'"{escaped}"'


@cache
def page_template(package: str, name: str) -> Template:
    """Load the jinja template of an HTML page from a package's folder: values are escaped, and a missing one is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["css"] = css_string
    return environment.get_template(name)


def css_string(text: str) -> str:
    """Escape text for a quoted string in a style sheet, where HTML's own escapes mean nothing."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text)
