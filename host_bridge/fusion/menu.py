"""Put the scripts of Resolve's menu together, with the paths of this machine written into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from host_bridge.fusion.lua import to_lua

HERE = Path(__file__).resolve().parent / "scripts"
MENU = Path("Scripts") / "Utility" / "Faceplate"
MODULES = Path("Faceplate") / "python"
_CLIENT = HERE.parents[1] / "client.py"
# Name in the menu: the parts of lua/, and the function of python/faceplate_resolve.
LIBRARY = ("library", "jobs", "clips")
_REPLACE = "Replace face in selected clips"
SCRIPTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    _REPLACE: (("consent", "place", "replace"), "replace:above"),
    f"{_REPLACE} - as take": (("consent", "place", "replace"), "replace:take"),
    f"{_REPLACE} - as Fusion composition": (("consent", "place", "replace"), "replace:comp"),
    f"{_REPLACE} - take back": (("place", "undo"), "undo"),
    "Train on selected clips": (("consent", "train"), "train"),
    "Export timeline to Faceplate": (("consent", "export"), "export"),
    "Import result timeline": (("import",), "bring"),
    "Faceplate monitor": (("monitor",), "monitor"),
    "Self-check": (("place", "selfcheck"), ""),
}


@dataclass(frozen=True, slots=True)
class Config:
    """What the scripts know of this machine.

    folder: the watched one; results: where pictures go; python: of Faceplate's environment; colour: of the clips that are meant; handles: frames
    more at either end; minutes: of a training; method: how the shots of a timeline are done; wait: seconds that a script waits for the engine.
    """

    folder: str
    results: str
    python: str
    version: str
    colour: str = "Purple"
    handles: int = 8
    minutes: int = 30
    method: str = "model"
    wait: int = 600


def lua_script(name: str, config: Config) -> str:
    """One script of the menu, whole."""
    parts, function = SCRIPTS[name]
    text = [f"-- Faceplate {config.version}: {name}. Written by install/resolve.py, which takes it away again."]
    text += [f"local CONFIG = {to_lua(_forward(config))}", f"local PLACE = {to_lua(function.partition(':')[2])}"]
    return "\n".join(text + [(HERE / "lua" / f"{part}.lua").read_text("utf-8") for part in (*LIBRARY, *parts)])


def python_script(name: str, config: Config, modules: str) -> str:
    """The same for Studio. modules: the folder with faceplate_resolve; Resolve does not say where a script lies."""
    function, _, place = SCRIPTS[name][1].partition(":")
    lines = [
        f"# Faceplate {config.version}: {name}. Written by install/resolve.py, which takes it away again.",
        "import sys",
        f"sys.path.insert(0, {modules!r})",
        "import faceplate_resolve",
        f"config = faceplate_resolve.Config(**{asdict(config)!r})",
        f"faceplate_resolve.{function}(globals().get('resolve'), config{f', {place!r}' if place else ''})",
    ]
    return "\n".join(lines) + "\n"


def scripts(root: str, config: Config) -> dict[Path, bytes]:
    """All files by their place below a Fusion root. root: where that is going to be, for the scripts in Python."""
    modules = f"{root}/{MODULES.as_posix()}"
    made = {MENU / f"{name}.lua": lua_script(name, config).encode() for name in SCRIPTS}
    for name, (_, function) in SCRIPTS.items():
        if function:
            made[MENU / "Python" / f"{name}.py"] = python_script(name, config, modules).encode()
    for part in sorted((HERE / "python" / "faceplate_resolve").glob("*.py")):
        made[MODULES / "faceplate_resolve" / part.name] = part.read_bytes()
    made[MODULES / "host_bridge" / "__init__.py"] = b""
    made[MODULES / "host_bridge" / "client.py"] = _CLIENT.read_bytes()
    return made


def _forward(config: Config) -> dict[str, object]:
    return {k: v.replace("\\", "/") if k in ("folder", "results") else v for k, v in asdict(config).items()}
