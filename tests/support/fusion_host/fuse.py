"""A Fuse as Fusion has it: registered, created and asked for frames, in real LuaJIT."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lupa.luajit21 as lupa
import numpy as np

from tests.support.fusion_host.pictures import DEPTHS, Picture, blank, read_picture

HOST = Path(__file__).with_name("host.lua").read_text("utf-8")
Environment = Literal["full", "sandbox"]


@dataclass(frozen=True)
class Window:
    left: int
    bottom: int
    right: int
    top: int


class Work:
    """What host.lua leaves to Python."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.reads: list[str] = []
        self.prefs: Path | None = None  # where Fusion keeps its preferences
        self._open: dict[int, np.ndarray] = {}

    def print(self, *values: Any) -> None:
        self.printed.append(" ".join(map(str, values)))

    def exists(self, path: str) -> bool:
        return Path(path).is_file()

    def folder(self, path: str) -> bool:
        return Path(path).is_dir()

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def save(self, post: str) -> None:
        if self.prefs is not None:
            self.prefs.write_text(f'{{ Global = {{ FaceplatePost = "{post}" }} }}')

    def read(self, path: str) -> Picture | None:
        self.reads.append(path)
        return read_picture(Path(path))

    def member(self, picture: Picture, name: str) -> Any:
        return {
            "Width": picture.width,
            "Height": picture.height,
            "OriginalWidth": picture.size[0],
            "OriginalHeight": picture.size[1],
            "XScale": 1,
            "YScale": 1,
            "ProxyScale": picture.proxy,
            "Depth": picture.depth,
            "DataWindow": Window(*picture.window),
            "ValidWindow": Window(*picture.window),
            "Metadata": None,
        }[name]

    def like(self, picture: Picture, depth: int | None, width: int | None, height: int | None) -> Picture:
        return picture.like(depth, width, height)

    def new(self, width: int, height: int, depth: int, wide: int, high: int, proxy: int) -> Picture:
        made = blank(width, height, depth)
        made.size, made.proxy = (wide, high), proxy
        return made

    def copy(self, picture: Picture) -> Picture:
        return picture.copy()

    def clear(self, picture: Picture) -> None:
        picture.clear()

    def crop(self, picture: Picture, into: Picture, x: int, y: int) -> None:
        picture.crop(into, x, y)

    def resize(self, picture: Picture, into: Picture, method: str, width: int, height: int) -> None:
        assert (into.width, into.height) == (width, height)
        picture.resize(into, method)

    def erode_dilate(self, picture: Picture, into: Picture, x: float, y: float) -> None:
        picture.erode_dilate(into, x, y)

    def blur(self, picture: Picture, into: Picture, x: float, y: float) -> None:
        picture.blur(into, x, y)

    def open(self, picture: Picture, right: int, top: int, to_write: bool) -> tuple[str, int, int]:
        """The address of an image's values. Raises where Fusion would crash: what lies outside of the data window is not there."""
        left, bottom, wide, high = picture.window
        assert left <= 0 and bottom <= 0 and right <= wide and top <= high, "outside of the data window"
        values = picture.floats()
        self._open[id(picture) if to_write else -len(self._open) - 1] = values
        return str(values.ctypes.data), picture.width, picture.height

    def close(self, picture: Picture, right: int, top: int) -> None:
        changed = picture.copy()
        changed.store(self._open[id(picture)])
        picture.pixels[:top, :right] = changed.pixels[:top, :right]
        self._open.clear()


class Fuse:
    """One node of a Fuse; each has a Lua of its own."""

    def __init__(self, file: Path, environment: Environment = "full") -> None:
        # Lua's strings are bytes; encoding None would hand them over as such.
        self.lua = lupa.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
        self.work = Work()
        self.host = self.lua.execute(HOST, self.work)
        comp = self.lua.table_from({"MapPath": lambda _, path: path.replace("Comp:", str(file.parent) + "/")})
        self.tool = self.host.load_fuse(file.read_text("utf-8"), environment, file.stem + "1", comp)
        self.environment = environment

    @property
    def registered(self) -> Any:
        return self.tool.registered

    @property
    def ids(self) -> list[str]:
        return list(self.tool.order.values())

    def input(self, id: str) -> Any:
        return self.tool.inputs[id]

    def attributes(self, id: str) -> dict[Any, Any]:
        return dict(self.tool.inputs[id].attributes)

    def set(self, **values: Any) -> None:
        for id, value in values.items():
            self.host.set(self.tool, id, str(value) if isinstance(value, Path) else value)

    def process(
        self, image: Picture, time: float, *, precalc: bool = False, region: Window | None = None
    ) -> tuple[Picture, Picture | None, Picture | None]:
        """Image, Patch and Matte of a frame."""
        before = image.pixels.copy()
        self.host.set(self.tool, "Image", image)
        made = self.host.process(self.tool, time, precalc, region)
        assert np.array_equal(image.pixels, before), "what comes in is others' too"
        return tuple(made) + (None,) * (3 - len(made))

    def names(self, environment: Environment) -> set[str]:
        """The globals of an environment, and what is in `os` and `bmd`."""
        env = self.host.environment(environment)
        inside = {f"{name}.{key}" for name in ("os", "bmd") for key in env[name]}
        return {str(key) for key in env} | inside

    def value(self, id: str) -> Any:
        return self.host.value(self.tool, id)

    def press(self, button: str, above: Any = None, system: str | None = None, **about: Any) -> dict[str, Any]:
        """Run what a button runs, in a comp with these: time, first, last, rate. Returns what it left in the preferences.

        system: be on this one, and only note in `work.printed` what would be started.
        """
        told = {"time": 0, "first": 0, "last": 0, "rate": 25} | about
        more, stored = self.host.scripts(self.tool, above, self.lua.table_from(told))
        if system is not None:
            self.host.pretend(more, system, self.work.print)
        script = self.attributes(button)["BTNCS_Execute"]
        # A machine that runs two tests at a time and waits for its disk is slower than any artist's.
        self.host.run(script.replace("local PATIENCE = 5 ", "local PATIENCE = 60 "), self.environment, more)
        return dict(stored)

    def above(self, id: str, values: dict[str, Any], clip: str | None = None, above: Any = None) -> Any:
        """Another node of the comp, for `press`."""
        return self.host.above(id, self.lua.table_from(values), clip, above)


__all__ = ["DEPTHS", "Environment", "Fuse", "Window"]
