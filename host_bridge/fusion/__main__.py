"""`python -m host_bridge.fusion FOLDER --root ROOT --watched FOLDER --results FOLDER`: write all that is installed below a Fusion root.

FOLDER gets it; ROOT is where it will be, which the scripts in Python must know. `install/resolve.py` runs this and copies.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from host_bridge.fusion.build import build
from host_bridge.fusion.menu import Config, scripts
from nodes import __version__
from nodes.files import whole_file


def main(arguments: list[str] | None = None) -> int:
    """Write it, and return the exit status."""
    parser = argparse.ArgumentParser("python -m host_bridge.fusion", description="What is installed into Fusion.")
    parser.add_argument("folder", type=Path)
    for name in ("--root", "--watched", "--results"):
        parser.add_argument(name, required=True)
    told = parser.parse_args(arguments)
    build(told.folder, watched=told.watched)
    config = Config(told.watched, told.results, sys.executable, __version__)
    for place, content in scripts(Path(told.root).as_posix(), config).items():
        with whole_file(told.folder / place) as temporary:
            temporary.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
