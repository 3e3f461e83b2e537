"""Rendering: Blender as processes of its own, one a core, that can be stopped and go on with the frames that are missing."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import OpenImageIO as oiio

from nodes.cache import digest_code, key_of
from nodes.errors import FaceplateError, FootageError, writing
from nodes.files import only_one
from nodes.progress import Progress, quiet
from nodes.types import Float
from trainer.synthetic.assets import blender
from trainer.synthetic.scene import Scene, write_scene

_INSIDE = Path(__file__).parent / "blender" / "render.py"
_TAIL = 20  # lines of Blender's own that are shown when it fails


def render(scene: Scene, folder: Path, *, workers: int | None = None, progress: Progress = quiet) -> list[Path]:
    """Render all frames of a scene into `folder` and return their files, `frames/0000.exr` and so on.

    Frames that are there already are kept if they are of this very scene and this version of `blender/`. workers: processes, each on one core; by default
    one for each core. Raises OutputError, and FaceplateError when Blender fails, with what it said.
    """
    out = folder / "frames"
    with only_one(folder / "render.lock", "rendering", folder):
        digest = key_of(scene=write_scene(scene, folder / "scene"), code=digest_code("trainer.synthetic.blender"))
        made_of = folder / "frames.key"
        with writing(folder):
            if not made_of.is_file() or made_of.read_text("ascii") != digest:
                shutil.rmtree(out, ignore_errors=True)
                made_of.write_text(digest, "ascii")
            out.mkdir(exist_ok=True)
        files = [out / f"{frame:04d}.exr" for frame in range(scene.frames)]
        missing = [frame for frame, file in enumerate(files) if not file.is_file()]
        count = min(workers or os.cpu_count() or 1, len(missing))
        if missing:
            _run([missing[k::count] for k in range(count)], folder, scene.frames - len(missing), scene.frames, progress)
    return files


def _run(shares: Sequence[Sequence[int]], folder: Path, done: int, total: int, progress: Progress) -> None:
    """Start a Blender for each share of the frames and wait for all; all end when one fails or the wait is interrupted."""
    said: queue.Queue[tuple[int, str | None]] = queue.Queue()
    logs: list[list[str]] = [[] for _ in shares]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"BLENDER_USER_RESOURCES": str(folder / "scene"), "OMP_NUM_THREADS": "1"}
    command = [str(blender()), str(_INSIDE), str(folder / "scene"), str(folder / "frames")]
    processes = [
        subprocess.Popen(
            [*command, *map(str, share)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        for share in shares
    ]  # fmt: skip
    try:
        for number, process in enumerate(processes):
            assert process.stdout
            threading.Thread(target=_listen, args=(number, process.stdout, said), daemon=True).start()
        progress("render", done, total)
        running = len(processes)
        while running:
            number, line = said.get()
            if line is None:
                running -= 1
                if processes[number].wait():
                    raise FaceplateError(
                        "Blender failed to render:\n" + "".join(logs[number][-_TAIL:]), file=folder / "scene"
                    )
            elif line.startswith("frame "):
                done += 1
                progress("render", done, total)
            else:
                logs[number].append(line)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _listen(number: int, stream: IO[str], said: queue.Queue[tuple[int, str | None]]) -> None:
    for line in stream:
        said.put((number, line))
    said.put((number, None))


class Passes:
    """The passes of a rendered frame. rgb: scene-linear [H, W, 3]. depth: metres [H, W]. normal: world axes [H, W, 3]. albedo: [H, W, 3], and the
    light that falls on it, whose product is the diffuse part of the picture.

    uv: [H, W, 2] of what is nearest. Where a pixel holds several things, depth, normal and uv are of one of its samples.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        layers: dict[str, Float] = {}
        source = oiio.ImageInput.open(str(file))
        if source is None:
            raise FootageError("cannot be read as a rendered frame", file=file, remedy="Delete it and render again")
        manifest, part = "{}", 0
        while source.seek_subimage(part, 0):
            spec = source.spec()
            layers[spec.channelnames[0].split(".")[1]] = np.asarray(
                source.read_image(part, 0, 0, spec.nchannels, "float")
            )
            for attribute in spec.extra_attribs:
                if attribute.name.endswith("/manifest"):
                    manifest = str(attribute.value)
            part += 1
        self._manifest: dict[str, str] = json.loads(manifest)
        self._layers = layers
        self.rgb: Float = layers["Combined"][..., :3]
        self.depth: Float = layers["Depth"][..., 0]
        self.normal: Float = layers["Normal"]
        self.albedo: Float = layers["Diffuse Color"]
        self.light: Float = layers["Diffuse Direct"] + layers["Diffuse Indirect"]
        self.uv: Float = layers["UV"][..., 1:]

    def matte(self, *prefixes: str) -> Float:
        """Add up the coverage, 0..1 [H, W], of all things whose names begin with one of the prefixes (Friedman and Jones 2015, Cryptomatte)."""
        wanted = [int(value, 16) for name, value in self._manifest.items() if name.startswith(prefixes)]
        identities = np.array(wanted, np.uint32).view(np.float32)
        total = np.zeros(self.depth.shape, np.float32)
        for name, layer in self._layers.items():
            if name.startswith("CryptoObject"):
                for rank in (0, 2):
                    total += np.where(np.isin(layer[..., rank], identities), layer[..., rank + 1], 0)
        return np.clip(total, 0, 1)
