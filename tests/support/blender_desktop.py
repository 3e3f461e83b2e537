"""A Blender in a window of a virtual display: clicked by the texts that it shows, photographed, and asked about its state.

A text is found in a photograph as Blender's own font draws it, so that no test knows where a button lies.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ImageGrab

from nodes.types import Image8
from tests.support.blender import PROGRAM

NEEDS = ("blender", "Xvfb", "openbox", "xdotool")
ALIKE = 0.94  # correlation of a text that is there; one that differs by some letters has 0.9
Box = tuple[int, int, int, int]  # left, top, width, height on the screen
_PROBE = """import bpy, json, os, traceback
def _tick():
    if os.path.exists({ask!r}):
        code, said = open({ask!r}).read(), {{"answer": None, "error": ""}}
        os.remove({ask!r})
        try: exec(compile(code, "ask", "exec"), {{"bpy": bpy, "answer": lambda value: said.update(answer=value)}})
        except Exception: said["error"] = traceback.format_exc()
        open({answer!r} + ".part", "w").write(json.dumps(said))
        os.rename({answer!r} + ".part", {answer!r})
    return 0.05
bpy.app.timers.register(_tick, persistent=True)
"""
_DRAW = """import blf, imbuf
size = 11 * bpy.context.preferences.system.ui_scale * {zoom}
blf.size(0, size)
width, height = blf.dimensions(0, {text!r})
picture = imbuf.new((int(width + size), int(3 * size)))
with blf.bind_imbuf(0, picture):
    blf.position(0, size / 2, size, 0)
    blf.color(0, 1, 1, 1, 1)
    blf.draw_buffer(0, {text!r})
imbuf.write(picture, filepath={file!r})
"""


def missing() -> str:
    """Say what keeps a windowed Blender from being started here; empty if nothing does."""
    if not (command := os.environ.get(PROGRAM)):
        return f"{PROGRAM} names no Blender, as `blender` or `chroot ROOT blender`"
    prefix = shlex.split(command)[:-1]
    if prefix and os.geteuid():
        return "only root may run a Blender in another root folder"
    shell = [
        *prefix,
        "sh",
        "-c",
        f"for name in {' '.join(NEEDS)}; do command -v $name >/dev/null || echo $name is missing; done",
    ]
    return ", ".join(subprocess.run(shell, capture_output=True, text=True).stdout.splitlines())


@dataclass
class Effort:
    """What a user had to do so far. commands: in a terminal. begun: by the clock of `time.monotonic`."""

    clicks: int = 0
    fields: int = 0
    keys: int = 0
    commands: int = 0
    begun: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.begun
        return (
            f"{self.clicks} clicks, {self.fields} fields, {self.keys} keys, {self.commands} commands, {seconds:.1f} s"
        )


@dataclass
class Desktop:
    """A display with one Blender. prefix: of commands that run where Blender is; folder: its home; photos: get the photographs."""

    prefix: list[str]
    folder: Path
    photos: Path
    environment: dict[str, str]
    effort: Effort = field(default_factory=Effort)
    _texts: dict[str, Image8] = field(default_factory=dict)

    # ---- asking

    def ask(self, code: str, seconds: float = 60) -> Any:
        """Run code in Blender's main loop, and return what it gives to `answer`."""
        question, answer = self.folder / "ask.py", self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        question.with_suffix(".part").write_text(code, "utf-8")
        question.with_suffix(".part").rename(question)
        self.until(answer.exists, seconds, f"Blender does not answer: {code}")
        said = json.loads(answer.read_text("utf-8"))
        assert not said["error"], said["error"]
        return said["answer"]

    def until(self, true: Callable[[], Any], seconds: float = 60, what: str = "") -> Any:
        """Wait for something to be true, and return it."""
        end = time.monotonic() + seconds
        while not (found := true()):
            if time.monotonic() > end:
                self.photo("failed")
                raise AssertionError(what or f"not within {seconds} s")
            time.sleep(0.05)
        return found

    def region(self, area: str, region: str = "WINDOW") -> Box:
        """The place of a region of the largest area of this type, in any window."""
        return tuple(  # type: ignore[return-value]
            self.ask(f"""
areas = [(a.width * a.height, w, a) for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == {area!r}]
_, w, a = max(areas, key=lambda each: each[0])
r = max((r for r in a.regions if r.type == {region!r}), key=lambda r: r.width)
answer([w.x + r.x, {self.height} - w.y - r.y - r.height, r.width, r.height])
""")
        )

    # ---- seeing

    @property
    def height(self) -> int:
        """Of the screen."""
        return ImageGrab.grab(xdisplay=self.environment["DISPLAY"]).height

    def look(self) -> Image8:
        """Photograph the screen; BGR."""
        return np.asarray(ImageGrab.grab(xdisplay=self.environment["DISPLAY"]).convert("RGB"))[..., ::-1].copy()

    def photo(self, name: str, box: Box | None = None) -> Path:
        """Keep a photograph of the screen, or of a part of it."""
        picture = self.look()
        if box:
            x, y, width, height = box
            picture = picture[y : y + height, x : x + width]
        file = self.photos / f"{name}.png"
        cv2.imwrite(str(file), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        return file

    def places(
        self, text: str, box: Box | None = None, *, turned: bool = False, zoom: float = 1
    ) -> list[tuple[int, int]]:
        """Find the middles of all places on the screen that show a text, from the top. turned: as on the tabs of a sidebar. zoom: of nodes."""
        glyphs = self.drawn(text, zoom)
        if turned:
            glyphs = cv2.rotate(glyphs, cv2.ROTATE_90_CLOCKWISE)
        return places(self.look(), glyphs, box)

    def drawn(self, text: str, zoom: float = 1) -> Image8:
        """A text as Blender's font draws it, without margins."""
        key = f"{text} {zoom:.3f}"
        if key not in self._texts:
            file = self.folder / "text.png"
            self.ask(_DRAW.format(text=text, file=str(file), zoom=zoom))
            alpha = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[..., 3]
            rows, columns = np.nonzero(alpha > 10)
            self._texts[key] = alpha[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2]
        return self._texts[key]

    def find(
        self, text: str, box: Box | None = None, seconds: float = 60, *, at: int = 0, **how: Any
    ) -> tuple[int, int]:
        """Wait for a text, and return its place; at: which of several, from the top; how: as for `places`."""
        self.until(lambda: len(self.places(text, box, **how)) > at, seconds, f"{text!r} is not on the screen")
        return self.places(text, box, **how)[at]

    def scale(self, factor: float) -> None:
        """Set the resolution scale of the interface."""
        self.ask(f"bpy.context.preferences.view.ui_scale = {factor}")
        self._texts.clear()
        self.settle()

    def zoom(self) -> float:
        """Of the nodes in the largest node editor."""
        return float(
            self.ask("""
areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "NODE_EDITOR"]
region = next(r for r in max(areas, key=lambda a: a.width * a.height).regions if r.type == "WINDOW")
ends = [region.view2d.view_to_region(x, 0, clip=False)[0] for x in (0, 10000)]
answer((ends[1] - ends[0]) / 10000)
""")
        )

    # ---- doing

    def x(self, *words: object) -> str:
        """Run xdotool."""
        done = subprocess.run(
            [*self.prefix, "xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True
        )
        return done.stdout.strip()

    def settle(self) -> None:
        """Wait until Blender has handled what was done, and drawn it."""
        for _ in range(2):
            time.sleep(0.1)
            self.ask("answer(True)")

    def move(self, x: int, y: int) -> None:
        """Move the pointer."""
        self.x("mousemove", x - 3, y, "sleep", 0.05, "mousemove", x, y, "sleep", 0.15)

    def press(self, x: int, y: int, button: int = 1, *, times: int = 1) -> None:
        """Click at a place."""
        self.effort.clicks += 1  # a double click is one
        self.move(x, y)
        self.x("click", "--repeat", times, "--delay", 80, button)
        self.settle()

    def click(self, text: str, box: Box | None = None, *, times: int = 1, **how: Any) -> None:
        """Click a text; how: as for `find`."""
        self.press(*self.find(text, box, **how), times=times)

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        self.effort.keys += len(keys)
        self.x("key", "--delay", 60, *keys)
        self.settle()

    def type(self, text: str) -> None:
        """Type a text."""
        self.effort.keys += 1
        self.x("type", "--delay", 25, "--", text)
        self.settle()

    def fill(self, x: int, y: int, text: str) -> None:
        """Write into a field."""
        keys, clicks = self.effort.keys, self.effort.clicks
        self.press(x, y, times=2)
        time.sleep(0.5)
        self.keys("ctrl+a")
        self.type(text)
        self.keys("Return")
        self.effort.keys, self.effort.clicks, self.effort.fields = keys, clicks, self.effort.fields + 1


def places(picture: Image8, glyphs: Image8, box: Box | None = None) -> list[tuple[int, int]]:
    """Find the middles of all places of a picture that show these glyphs best, from the top, light on dark or dark on light."""
    left, top = 0, 0
    if box:
        left, top, width, height = box
        picture = picture[top : top + height, left : left + width]
    if picture.shape[0] < glyphs.shape[0] or picture.shape[1] < glyphs.shape[1]:
        return []
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    alike = np.nan_to_num(np.abs(cv2.matchTemplate(grey, glyphs, cv2.TM_CCOEFF_NORMED)), posinf=0)
    peaks = (alike >= max(ALIKE, alike.max() - 0.02)) & (alike == cv2.dilate(alike, np.ones((7, 7))))
    middle = left + glyphs.shape[1] // 2, top + glyphs.shape[0] // 2
    return [(int(x) + middle[0], int(y) + middle[1]) for y, x in np.argwhere(peaks)]


@contextmanager
def desktop(folder: Path, photos: Path, size: tuple[int, int] = (1600, 1000), **environment: str) -> Iterator[Desktop]:
    """Start a display with a Blender on it that was never started before, and end both. folder: seen by Blender under the same path; its `home` is the user's."""
    command = shlex.split(os.environ[PROGRAM])
    prefix, home = command[:-1], folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    photos.mkdir(parents=True, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FACEPLATE_"))}
    env |= {"HOME": str(home), "LIBGL_ALWAYS_SOFTWARE": "1", "XDG_RUNTIME_DIR": str(folder), **environment}
    probe = folder / "probe.py"
    probe.write_text(_PROBE.format(ask=str(folder / "ask.py"), answer=str(folder / "answer.json")), "utf-8")
    screen = "{}x{}x24".format(*size)
    server = [*prefix, "Xvfb", "-displayfd", "1", "-screen", "0", screen, "+extension", "GLX", "-nolisten", "tcp"]
    log = (folder / "blender.log").open("w")
    processes = [subprocess.Popen(server, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)]
    try:
        output = processes[0].stdout
        assert output is not None
        env["DISPLAY"] = f":{output.readline().strip()}"
        processes.append(subprocess.Popen([*prefix, "openbox"], env=env, stderr=subprocess.DEVNULL))
        arguments = ["--window-geometry", "0", "0", *map(str, size), "--python", str(probe)]
        processes.append(subprocess.Popen([*command, *arguments], env=env, stdout=log, stderr=log))
        made = Desktop(prefix, folder, photos, env)
        made.find("Layout", seconds=60)
        made.effort = Effort()
        yield made
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(home / ".cache", ignore_errors=True)
