"""`python -m host_bridge.fusion FOLDER --root ROOT --watched FOLDER --results FOLDER`: write all that is installed below a Fusion root.

FOLDER gets it; ROOT is where it will be, which the scripts in Python must know. `install/resolve.py` runs this and copies.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from host_bridge.fusion.build import build, scripts, write_files
from host_bridge.fusion.faceplate_resolve.timeline import Config
from nodes import __version__

if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m host_bridge.fusion", description="What is installed into Fusion.")
    parser.add_argument("folder", type=Path)
    for option in ("--root", "--watched", "--results"):
        parser.add_argument(option, required=True)
    arguments = parser.parse_args()
    build(arguments.folder, watched=arguments.watched)
    config = Config(arguments.watched, arguments.results, sys.executable, __version__)
    write_files(arguments.folder, scripts(Path(arguments.root).as_posix(), config))
