"""Build step of `install/resolve.py`, `python -m host_bridge.fusion FOLDER ROOT WATCHED RESULTS`: write into FOLDER the files for ROOT, a Fusion root."""

from __future__ import annotations

import sys
from pathlib import Path

from host_bridge.fusion.build import installation, write_files

if __name__ == "__main__":
    folder, root, watched, results = sys.argv[1:]
    write_files(Path(folder), installation(root, watched, results))
