"""Faceplate's extension for Blender: `python3 install/blender.py build|install|uninstall [--blender PATH] [--user FOLDER] [--dry-run]`.

Packs `host_bridge/blender` with the client and the nodes' definitions into a zip, and lets a Blender install it by its own operator.
Standard library only here; the nodes' definitions come from the Faceplate that is installed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "host_bridge" / "blender"
_INSTALL = """
import bpy, sys
bpy.ops.wm.read_userpref()
zip = {zip!r}
repos = bpy.context.preferences.extensions.repos
repo = next((r for r in repos if r.module == "user_default"), None) or repos.new(name="User Default", module="user_default")
done = bpy.ops.extensions.package_install_files(filepath=zip, repo=repo.module, enable_on_install=True, overwrite=True)
addon = bpy.context.preferences.addons.get(f"bl_ext.{{repo.module}}.faceplate")
if done != {{"FINISHED"}} or addon is None:
    sys.exit("Blender did not install it")
bpy.ops.wm.save_userpref()
"""
_UNINSTALL = """
import bpy
bpy.ops.wm.read_userpref()
gone = 0
for index, repo in enumerate(bpy.context.preferences.extensions.repos):
    if f"bl_ext.{repo.module}.faceplate" in bpy.context.preferences.addons:
        bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id="faceplate")
        gone += 1
bpy.ops.wm.save_userpref()
print("removed" if gone else "")
"""


class ExtensionProblem(Exception):
    """Problem that the user can mend; the message is one line with a remedy."""


def files() -> dict[str, bytes]:
    """Read the contents of the zip, by name. Raises ExtensionProblem."""
    contents = {
        file.relative_to(SOURCE).as_posix(): file.read_bytes()
        for file in sorted(SOURCE.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith(".")
    }
    for name in ("client.py", "session.py"):
        contents[name] = (ROOT / "host_bridge" / name).read_bytes()
    contents["nodes.json"] = _definitions()
    contents["python.txt"] = sys.executable.encode()
    contents["LICENSE"] = _LICENCE.encode()
    return dict(sorted(contents.items()))


def build(folder: Path) -> Path:
    """Write the zip, the same for the same sources, and return its path; Blender's own tool has not validated it."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads((SOURCE / "blender_manifest.toml").read_text("utf-8"))
    path = folder / f"{manifest['id']}-{manifest['version']}.zip"
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files().items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    partial.replace(path)
    return path


def find_blender(named: str | None) -> list[str]:
    """Find the command of Blender: a program, or a Python with the module bpy. Raises ExtensionProblem."""
    from install.doctor import find_hosts

    programs = [named] if named else find_hosts(platform.system(), Path.home(), os.environ)["Blender"]
    for program in programs:
        if path := shutil.which(str(program)):
            return [path]
    problem = f"{named} is no program" if named else "no Blender was found"
    raise ExtensionProblem(f"{problem}: name it with --blender, the program itself.")


def run_in(blender: Sequence[str], code: str, user: Path | None) -> str:
    """Run code in a Blender without a window, and return what it printed. user: its folder of settings. Raises ExtensionProblem."""
    environment = {**os.environ, **({"BLENDER_USER_RESOURCES": str(user)} if user else {})}
    is_python = Path(blender[0]).stem.startswith("python")
    arguments = ["-c", code] if is_python else ["--background", "--python-exit-code", "1", "--python-expr", code]
    process = subprocess.run([*blender, *arguments], env=environment, capture_output=True, text=True, errors="replace")
    if process.returncode:
        lines = [line for line in (process.stdout + process.stderr).splitlines() if line.strip()]
        raise ExtensionProblem(f"{blender[0]} could not do it: {lines[-1] if lines else 'it gave no reason'}")
    return process.stdout


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; return the exit status."""
    parser = argparse.ArgumentParser(prog="install/blender.py", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["build", "install", "uninstall"])
    parser.add_argument(
        "--blender", help="the Blender program; by default the one on PATH or where it is usually installed"
    )
    parser.add_argument("--user", type=Path, help="a folder for Blender's settings, instead of your own")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="the folder that gets the zip")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    options = parser.parse_args(arguments)
    try:
        blender = [] if options.action == "build" else find_blender(options.blender)
        where = f" in {options.user}" if options.user else ""
        if options.dry_run:
            steps = {"build": f"write the extension into {options.out}"}
            steps["install"] = f"{steps['build']}\nlet {''.join(blender)} install and enable it{where}"
            steps["uninstall"] = f"let {''.join(blender)} disable and remove it{where}"
            print("\n".join(f"would {step}" for step in steps[options.action].splitlines()))
            return 0
        if options.action == "uninstall":
            gone = "removed" in run_in(blender, _UNINSTALL, options.user).splitlines()  # among Blender's own lines
            print(f"Faceplate {'removed' if gone else 'was not installed'}{where}")
            return 0
        path = build(options.out)
        print(f"built {path}")
        if options.action == "install":
            run_in(blender, _INSTALL.format(zip=str(path)), options.user)
            print(f"installed and enabled{where}")
        return 0
    except ExtensionProblem as problem:
        message = str(problem)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}."
    print(f"Error: {message}", file=sys.stderr)
    return 1


def _definitions() -> bytes:
    """Return the output of `faceplate nodes --json` of this environment."""
    try:
        from nodes.definitions import NODES
    except ImportError as e:
        python = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        raise ExtensionProblem(
            f"this Python lacks Faceplate ({e}): run it with that of its environment, as {python}"
        ) from e
    document = {"schema": "faceplate.nodes/1", "nodes": [node.schema() for node in NODES]}
    return json.dumps(document, indent=1).encode()


_LICENCE = """Faceplate for Blender

This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as
published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.
Its text is at www.gnu.org/licenses/gpl-3.0.html

client.py and session.py are under the Apache License, Version 2.0, at www.apache.org/licenses/LICENSE-2.0
"""

if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    sys.exit(main(sys.argv[1:]))
