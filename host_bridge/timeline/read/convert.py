"""Turn an AAF into OTIO, in a process of its own: `python -m host_bridge.timeline.read.convert IN OUT`.

The adapters are others' code, and a damaged file can send one of them round in circles: here it can only end itself.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

from nodes.errors import MissingDependencyError, SchemaError

_log = logging.getLogger(__name__)
SECONDS = 300
_MEMORY = 4 << 30
FORMATS = {
    ".aaf": ("otio_aaf_adapter", "an AAF"),
}


def convert(path: Path, limit: float = SECONDS) -> bytes:
    """Return a document of another format as OTIO's JSON; raises SchemaError, and MissingDependencyError without its adapter.

    limit: seconds that it may take.
    """
    adapter, told = FORMATS[path.suffix.lower()]
    _need(adapter, told, path)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "edit.otio"
        try:
            done = subprocess.run(
                [sys.executable, "-m", __name__, str(path.absolute()), str(out)],
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            raise SchemaError(f"could not be read as {told} within {limit:g} s", file=path, remedy=_REMEDY) from e
        if done.returncode or not out.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            _log.error("the adapter ended with status %d\n%s", done.returncode, "\n".join(said))
            raise SchemaError(
                f"could not be read as {told}: {said[-1][:300] if said else 'the adapter ended'}",
                file=path,
                remedy=_REMEDY,
            )
        return out.read_bytes()


_REMEDY = "Export it again, as OTIO where the editor can"


def _need(module: str, told: str, path: Path) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise MissingDependencyError(
            f"is {told}, whose reader ({module.replace('_', '-')}) is not installed",
            file=path,
            remedy="Install it: pip install 'faceplate[timeline]'; or export the edit as OTIO",
        )


def _main(source: str, target: str) -> int:
    with suppress(ImportError, ValueError, OSError):  # no such limit on this system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    import opentimelineio as otio

    try:
        found = otio.adapters.read_from_file(source)
        Path(target).write_text(otio.adapters.write_to_string(found, "otio_json", indent=0), "utf-8")
    except Exception as e:  # whatever an adapter stumbles over
        traceback.print_exc()  # for the log
        print(" ".join(f"{type(e).__name__}: {e}".split())[:400], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
