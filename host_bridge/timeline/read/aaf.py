"""AAF, by OpenTimelineIO's adapter, in a process of its own: `python -m host_bridge.timeline.read.aaf IN OUT`.

The adapter is others' code, and a damaged file can send it round in circles: here it can only end itself.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import opentimelineio as otio

from host_bridge.timeline.read.document import EditDocument
from host_bridge.timeline.read.otio import parse
from nodes.errors import MissingDependencyError, SchemaError

_log = logging.getLogger(__name__)
_ADAPTER = "otio_aaf_adapter"
_SECONDS = 300
_REMEDY = "Export it again, as OTIO where the editor can"


def read_aaf(document: EditDocument) -> Any:
    """Return what an AAF holds; raises SchemaError, and MissingDependencyError without the adapter."""
    return parse(convert(document.path), str(document.path))


def convert(path: Path, limit: float = _SECONDS) -> bytes:
    """Return an AAF as OTIO's JSON; raises SchemaError, and MissingDependencyError without the adapter. limit: seconds that it may take."""
    if importlib.util.find_spec(_ADAPTER) is None:
        raise MissingDependencyError(
            f"is an AAF, whose reader ({_ADAPTER.replace('_', '-')}) is not installed",
            file=path,
            remedy="Install it: pip install 'faceplate[timeline]'; or export the edit as OTIO",
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "edit.otio"
        command = [sys.executable, "-m", __name__, str(path), str(out)]
        try:
            process = subprocess.run(command, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired as e:
            what = f"could not be read as an AAF within {limit:g} s"
            raise SchemaError(what, file=path, remedy=_REMEDY) from e
        if process.returncode or not out.is_file():
            lines = process.stderr.decode(errors="replace").strip().splitlines() or ["the adapter ended"]
            _log.error("the adapter ended with status %d\n%s", process.returncode, "\n".join(lines))
            what = f"could not be read as an AAF: {lines[-1][:300]}"
            raise SchemaError(what, file=path, remedy=_REMEDY)
        return out.read_bytes()


def _main(source: str, target: str) -> int:
    try:
        otio.adapters.write_to_file(otio.adapters.read_from_file(source), target, indent=0)
    except Exception as e:  # whatever the adapter stumbles over
        traceback.print_exc()  # for the log
        print(" ".join(f"{type(e).__name__}: {e}".split())[:400], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
