"""What the tests' scripts share inside Blender. Runs in Blender's own Python: no Faceplate here but the extension."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path

import bpy

faulthandler.enable()  # when Blender crashes, say where

MODULE = "bl_ext.user_default.faceplate"
NEW = bpy.app.version >= (5, 0)


def leave() -> None:
    """End without Blender's own clearing up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def answer(told) -> None:
    print("ANSWER " + json.dumps(told), flush=True)


def install(zip: str) -> None:
    done = bpy.ops.extensions.package_install_files(
        filepath=zip, repo=repository(), enable_on_install=True, overwrite=True
    )
    assert done == {"FINISHED"}, done
    assert MODULE in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())


def repository() -> str:
    repos = bpy.context.preferences.extensions.repos
    return next((r for r in repos if r.module == "user_default"), None).module


def enable() -> None:
    """Enable what was installed earlier."""
    repository()
    assert bpy.ops.preferences.addon_enable(module=MODULE) == {"FINISHED"}


def disable() -> None:
    assert bpy.ops.preferences.addon_disable(module=MODULE) == {"FINISHED"}


def part(name: str):
    """A module of the extension's."""
    return importlib.import_module(f"{MODULE}.{name}")


def pump(until, seconds: float = 60) -> None:
    """Do what Blender's own loop does with the timers, until something is true."""
    session, end = part("link").session, time.monotonic() + seconds
    while not until():
        session.pump()
        assert time.monotonic() < end, session.state
        time.sleep(0.02)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("faceplate")]


def empty_scene(width: int, height: int, first: int, last: int):
    """A scene of which only the compositor's result is rendered, without dither, in plain sRGB."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    scene.render.dither_intensity = 0
    scene.view_settings.view_transform = "Standard"
    scene.frame_start, scene.frame_end = first, last
    scene.render.fps, scene.render.fps_base = 25, 1
    return scene


def compositor(scene):
    """The scene's empty tree, and the node at its end."""
    if NEW:
        tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return tree, tree.nodes.new("NodeGroupOutput")
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree, scene.node_tree.nodes.new("CompositorNodeComposite")


def tree_of(scene):
    return scene.compositing_node_group if NEW else scene.node_tree


def sequence(tree, file: str, count: int, start: int):
    """An Image node with a sequence, the first file of which is shown at frame `start` of the scene."""
    node = tree.nodes.new("CompositorNodeImage")
    node.image = bpy.data.images.load(file)
    node.image.source = "SEQUENCE"
    number = int(Path(file).stem.rpartition(".")[2])
    node.frame_duration, node.frame_start, node.frame_offset = count, start, number - 1
    node.use_auto_refresh = True
    return node


def render(scene, frame: int, path: str, depth: str = "8") -> None:
    """Render a frame of the scene into a PNG."""
    scene.frame_set(frame)
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", depth
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def begin(node, action: str = "RENDER") -> None:
    bpy.ops.faceplate.run(uid=node.uid, action=action)


def work(node, action: str = "RENDER", seconds: float = 100) -> None:
    """Press a button, and wait until its job has ended."""
    begin(node, action)
    pump(lambda: node.state != "BUSY", seconds)
    assert node.state == "DONE", (node.message, node.remedy)


class Layout:
    """Takes down what is drawn as (icon, text, whether it is red); a property that is not there is an error, as in Blender."""

    operator_context = "INVOKE_DEFAULT"
    buttons: list = []  # all that were drawn, with what they are told  # noqa: RUF012

    def __init__(self, drawn: list | None = None, alert: bool = False) -> None:
        self.drawn: list = [] if drawn is None else drawn
        self.alert = alert

    def row(self, **_) -> Layout:
        return Layout(self.drawn, self.alert)

    def panel(self, *_, **__) -> tuple[Layout, Layout]:
        return self, self

    column = box = row

    def label(self, text: str = "", icon: str = "NONE", **_) -> None:
        self.drawn.append((icon, text, self.alert))

    def prop(self, of, name: str, **_) -> None:
        assert name in of.bl_rna.properties, name
        self.drawn.append(("", name, False))

    def operator(self, name: str, text: str = "", **_):
        assert name == "wm.url_open" or hasattr(bpy.types, "FACEPLATE_OT_" + name.partition(".")[2]), name
        self.drawn.append(("", text or name, False))
        self.buttons.append((name, type("Told", (), {})()))
        return self.buttons[-1][1]

    def progress(self, text: str = "", **_) -> None:
        self.drawn.append(("", text, False))

    def separator(self) -> None:
        pass

    def taken(self) -> list:
        """The texts since the last time."""
        texts = [text for _, text, _ in self.drawn]
        self.drawn.clear()
        return texts
