# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m pictures WHAT ARGUMENTS...` in the extension's folder: make pictures, and print what came of it as JSON; what is wrong goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import draw_boxes, draw_landmarks, whole

_WORK: dict[str, Callable[..., Any]] = {
    "boxes": lambda faces, folder, first, last: draw_boxes(Path(faces), Path(folder), int(first), int(last)),
    "landmarks": lambda aligned, folder, first, last: draw_landmarks(
        Path(aligned), Path(folder), range(int(first), int(last) + 1)
    ),
    "whole": lambda source, target, stem: whole.whole_frames(Path(source), Path(target), stem),
    "differ": lambda source, target: whole.differ(Path(source), Path(target)),
}

if __name__ == "__main__":
    try:
        print(json.dumps(_WORK[sys.argv[1]](*sys.argv[2:])))
    except (OSError, ValueError, KeyError, whole.WholeError) as e:
        sys.exit(str(e))
