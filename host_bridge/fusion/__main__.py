"""`python -m host_bridge.fusion FOLDER ROOT WATCHED RESULTS`, as `install/resolve.py` runs it: write into FOLDER what it copies below ROOT, a Fusion root."""

from __future__ import annotations

import sys
from pathlib import Path

from host_bridge.fusion.build import installation, write_files

if __name__ == "__main__":
    folder, root, watched, results = sys.argv[1:]
    write_files(Path(folder), installation(root, watched, results))
