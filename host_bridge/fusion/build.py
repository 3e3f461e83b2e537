"""Files to install into Fusion: Fuses, the effect of the Edit page with its icon, and the scripts of Resolve's menu."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from host_bridge.fusion.faceplate_resolve.timeline import Config
from host_bridge.fusion.fuse import render_fuse
from host_bridge.fusion.lua import to_lua
from host_bridge.fusion.macro import EFFECT, icon, swap_effect
from nodes import __version__
from nodes.definitions import NODES
from nodes.files import whole_file

SCRIPTS_FOLDER = Path(__file__).resolve().parent / "scripts"
_MODULES_FOLDER = SCRIPTS_FOLDER.with_name("faceplate_resolve")
MENU = Path("Scripts") / "Utility" / "Faceplate"
_MODULES = Path("Faceplate") / "python"
# Name in the menu: the action, and where its results go.
_REPLACE = "Replace face in selected clips"
SCRIPTS: Mapping[str, str] = {
    _REPLACE: "replace:above",
    f"{_REPLACE} - as take": "replace:take",
    f"{_REPLACE} - as Fusion composition": "replace:comp",
    f"{_REPLACE} - take back": "undo",
    "Train on selected clips": "train",
    "Export timeline to Faceplate": "export",
    "Import result timeline": "bring",
    "Faceplate monitor": "monitor",
    "Self-check": "selfcheck",  # in Lua only
}


def build(folder: Path, python: str = sys.executable, watched: str | None = None) -> list[Path]:
    """Write the Fuses and the effect below `folder`, as in a Fusion root, and return the files. Raises OutputError."""
    return write_files(folder, fuses(python, watched))


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files by their place below a folder, each whole or not at all, and return them. Raises OutputError."""
    for name, content in files.items():
        with whole_file(folder / name) as temporary:
            temporary.write_bytes(content)
    return [folder / name for name in files]


def fuses(python: str, watched: str | None) -> dict[str, bytes]:
    """Make Fuses and the effect, by their place below a Fusion root; the same input gives the same bytes.

    python: the interpreter of Faceplate's environment, which the Fuses' buttons start. watched: the folder in which they find answers where
    they may start nothing.
    """
    files = {f"Fuses/Faceplate{node.name}.fuse": render_fuse(node, python, watched).encode() for node in NODES}
    effect = f"Templates/Edit/Effects/Faceplate/{EFFECT}"
    return files | {f"{effect}.setting": swap_effect(), f"{effect}.png": icon()}


def installation(root: str, watched: str, results: str) -> dict[str, bytes]:
    """Make all files that `install/resolve.py` installs, by their place below a Fusion root. watched, results: folders, which the scripts use."""
    config = Config(watched, results, sys.executable, __version__)
    return fuses(sys.executable, watched) | scripts(Path(root).as_posix(), config)


def lua_script(name: str, config: Config) -> str:
    """Make a script of the menu in one piece: `require` is missing in the sandbox of the free edition."""
    action, _, place = SCRIPTS[name].partition(":")
    settings = {k: v.replace("\\", "/") if k in ("folder", "results") else v for k, v in asdict(config).items()}
    parts = ("common", "library", "place", "selfcheck" if action == "selfcheck" else "menu")
    head = f"-- Faceplate {config.version}: {name}. Written by install/resolve.py, which takes it away again."
    values = {"CONFIG": settings, "ACTION": action, "PLACE": place}
    lines = [head, *(f"local {variable} = {to_lua(value)}" for variable, value in values.items())]
    return "\n".join(lines + [(SCRIPTS_FOLDER / f"{part}.lua").read_text("utf-8") for part in parts])


def python_script(name: str, config: Config, modules: str) -> str:
    """Make a script of the menu for Studio. modules: the folder with faceplate_resolve; Resolve does not say where a script lies."""
    function, _, place = SCRIPTS[name].partition(":")
    lines = [
        f"# Faceplate {config.version}: {name}. Written by install/resolve.py, which takes it away again.",
        "import sys",
        f"sys.path.insert(0, {modules!r})",
        "import faceplate_resolve",
        f"config = faceplate_resolve.Config(**{asdict(config)!r})",
        f"faceplate_resolve.{function}(globals().get('resolve'), config{f', {place!r}' if place else ''})",
    ]
    return "\n".join(lines) + "\n"


def scripts(root: str, config: Config) -> dict[str, bytes]:
    """Make the menu's scripts and their modules, by their place below a Fusion root. root: its final path."""
    modules = f"{root}/{_MODULES.as_posix()}"
    files = {MENU / f"{name}.lua": lua_script(name, config).encode() for name in SCRIPTS}
    for name in (name for name, action in SCRIPTS.items() if action != "selfcheck"):
        files[MENU / "Python" / f"{name}.py"] = python_script(name, config, modules).encode()
    for part in sorted(_MODULES_FOLDER.glob("*.py")):
        files[_MODULES / "faceplate_resolve" / part.name] = part.read_bytes()
    files[_MODULES / "host_bridge" / "__init__.py"] = b""
    for name in ("client.py", "session.py"):
        files[_MODULES / "host_bridge" / name] = (_MODULES_FOLDER.parents[1] / name).read_bytes()
    return {path.as_posix(): content for path, content in files.items()}
