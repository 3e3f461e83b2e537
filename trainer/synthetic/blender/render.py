# SPDX-License-Identifier: GPL-3.0-or-later
"""Render frames of a scene: `python render.py SCENE OUT FRAME ...`. One multi-layer OpenEXR file a frame; each that is written is said in a line.

The file of a frame takes its name when it is whole.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bpy
from build import Stage


def main(scene: str, out: str, *frames: str) -> None:
    """Render the frames into the folder `out`."""
    stage, folder = Stage(Path(scene)), Path(out)
    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads:
        bpy.context.scene.render.threads_mode, bpy.context.scene.render.threads = "FIXED", threads
    for frame in map(int, frames):
        stage.set_frame(frame)
        bpy.context.scene.frame_set(frame)
        temporary = folder / f".{frame:04d}.part.exr"
        bpy.context.scene.render.filepath = str(temporary)
        bpy.ops.render.render(write_still=True)
        temporary.replace(folder / f"{frame:04d}.exr")
        print(f"frame {frame}", flush=True)
    sys.stdout.flush()
    os._exit(0)  # bpy may wait for a lock of its own when Python ends


if __name__ == "__main__":
    main(*sys.argv[1:])
