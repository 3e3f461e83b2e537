"""The monitor page: plain HTML, CSS and JavaScript modules. It needs no build step, and loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# All that is served to who has no token, and nothing else ever.
FILES: Final = {file.name: file for file in Path(__file__).parent.iterdir() if file.suffix in TYPES}
PATHS: Final = frozenset({"/", *(f"/{name}" for name in FILES)})
