"""Scenes in Blender's sequencer, played inside a real Blender for test_blender_sequencer, after `blender_inside`.

Each is given what names a module of the extension, and what it is told, and returns what it has seen, as JSON can hold it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np


def fresh(width: int, height: int, rate: int = 25, keep: str = "") -> Any:
    """An empty scene that renders its strips, saved so that // means something."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    render.engine, scene.cycles.samples = "CYCLES", 1
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.fps, render.fps_base, render.dither_intensity = rate, 1.0, 0.0
    scene.view_settings.view_transform = "Standard"
    scene.sequence_editor_create()
    if keep:
        bpy.ops.wm.save_as_mainfile(filepath=keep)
    return bpy.context.scene


def shot(scene: Any, frame: int, file: str, exact: bool = False) -> None:
    """Render a frame of the strips: 8-bit PNG, or as it is in float EXR."""
    settings = scene.render.image_settings
    settings.file_format = "OPEN_EXR" if exact else "PNG"
    settings.color_mode, settings.color_depth = "RGB", "32" if exact else "8"
    scene.frame_set(frame)
    scene.render.filepath = file
    bpy.ops.render.render(write_still=True)


def wait(link: Any, seconds: float = 80) -> None:
    """What Blender's own loop does: look for news now and then."""
    end = time.monotonic() + seconds
    while link.tickets():
        assert time.monotonic() < end, "the engine takes too long"
        link.pump()
        time.sleep(0.02)


def images(scene: Any, name: str, files: list[str], channel: int, start: int) -> Any:
    strip = scene.sequence_editor.strips.new_image(name, files[0], channel, start, fit_method="ORIGINAL")
    for file in files[1:]:
        strip.elements.append(Path(file).name)
    return strip


def told_of(strip: Any) -> dict[str, Any]:
    """Where a strip is and what it is made of."""
    return {
        "name": strip.name,
        "type": strip.type,
        "channel": strip.channel,
        "seen": [strip.frame_final_start, strip.frame_final_end],
        "files": [element.filename for element in strip.elements] if strip.type == "IMAGE" else [],
        "folder": strip.directory if strip.type == "IMAGE" else "",
        "blend": [strip.blend_type, strip.blend_alpha],
        "offsets": [strip.frame_offset_start, strip.frame_offset_end],
    }


def select(scene: Any, *strips: Any) -> None:
    for strip in scene.sequence_editor.strips_all:
        strip.select = strip in strips


@contextmanager
def retiming(scene: Any, strip: Any) -> Iterator[None]:
    """The context in which Blender's operators retime this strip."""
    select(scene, strip)
    scene.sequence_editor.active_strip = strip
    window = bpy.context.window_manager.windows[0]
    if bpy.app.version >= (5, 0):
        window.workspace.sequencer_scene = scene
    with bpy.context.temp_override(window=window):
        yield


def add_retiming_key(scene: Any, strip: Any, frame: int) -> None:
    """The collection's own `add` ends the process where there are no keys yet."""
    with retiming(scene, strip):
        bpy.ops.sequencer.retiming_key_add(timeline_frame=frame)


def read_number(file: str, bits: int = 7) -> int:
    """The number that a picture of `clips_with_numbers` shows."""
    image = bpy.data.images.load(file)
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    row = pixels.reshape(height, width, 4)[height // 2, :, 0]
    bpy.data.images.remove(image)
    return sum(1 << bit for bit in range(bits) if row[bit * 16 + 8] > 0.5)


def seen_numbers(scene: Any, first: int, last: int, folder: str) -> list[int]:
    found = []
    for frame in range(first, last):
        shot(scene, frame, f"{folder}/seen.png")
        found.append(read_number(f"{folder}/seen.png"))
    return found


def numbers(module: Any, told: dict[str, Any]) -> Any:
    """Each kind of trimmed, slipped and retimed strip: what is said that it shows, what is rendered, and what its patch renders."""
    strips, land = module("sequencer.strips"), module("sequencer.place")
    found = {}

    def look(name: str, make: Any, rate: int = 25, handles: int = 0) -> None:
        scene = fresh(112, 16, rate, keep=told["blend"])
        strip = make(scene)
        shown = strips.read(strip, scene, handles)
        seen = seen_numbers(scene, shown.left, shown.right, told["folder"])
        target = module("sequencer.strips").target_of(scene, strip, shown, handles)
        patch, remarks = land.land(target, told["overlay"], *shown.range)
        strip.mute = True
        patch.mute = False
        found[name] = {
            "shown": shown.numbers[shown.left - shown.start :][: shown.right - shown.left],
            "seen": seen,
            "patch": seen_numbers(scene, shown.left, shown.right, told["folder"]),
            "strip": told_of(strip),
            "landed": told_of(patch),
            "remarks": remarks,
            "range": [shown.start, shown.start + len(shown.numbers)],
            "keys": [key.timeline_frame for key in strip.retiming_keys],
        }

    def movie(**what: Any) -> Any:
        def make(scene: Any) -> Any:
            strip = scene.sequence_editor.strips.new_movie("clip", told["movie"], 1, 10, fit_method="ORIGINAL")
            for name, value in what.items():
                setattr(strip, name, value)
            return strip

        return make

    def own_rate(scene: Any) -> Any:
        window = bpy.context.window_manager.windows[0]
        area = window.screen.areas[0]
        area.type = "SEQUENCE_EDITOR"
        if bpy.app.version >= (5, 0):
            window.workspace.sequencer_scene = scene
        with bpy.context.temp_override(window=window, area=area):  # with a region too, 5.0 ends
            bpy.ops.sequencer.movie_strip_add(
                filepath=told["movie"],
                frame_start=10,
                channel=1,
                adjust_playback_rate=True,
                use_framerate=False,
                fit_method="ORIGINAL",
                sound=False,
            )
        strip = scene.sequence_editor.strips[0]
        strip.frame_final_start = 12
        return strip

    def retimed(scene: Any) -> Any:
        strip = movie()(scene)
        add_retiming_key(scene, strip, 20)  # it comes with one at either end
        strip.retiming_keys[1].remove()
        strip.retiming_keys[1].timeline_frame = 10 + 19
        strip.frame_final_start, strip.frame_final_end = 13, 27
        return strip

    def sequence(scene: Any) -> Any:
        strip = images(scene, "files", told["files"], 2, 5)
        strip.frame_final_start, strip.frame_final_end = 8, 20
        return strip

    look("whole", movie())
    look("cut", movie(frame_final_start=15, frame_final_end=29), handles=3)
    look("slipped", movie(animation_offset_start=6, frame_final_end=24))
    look("reversed", movie(use_reverse_frames=True, frame_final_start=14, frame_final_end=26))
    look("strobed", movie(strobe=3, frame_final_end=22))
    look("held", movie(frame_final_start=6, frame_final_end=20))
    look("slow scene", movie(), rate=12)
    look("own rate", own_rate, rate=30)
    look("retimed", retimed)
    look("files", sequence, handles=2)
    return found


def replace(module: Any, told: dict[str, Any]) -> Any:
    """Two cuts of a clip and its sound, selected together: both get their patch. Frames are rendered without and with it."""
    link, notes = module("link").session, module("sequencer.panel").notes
    scene = fresh(*told["size"], keep=told["blend"])
    if told["kind"] == "movie":
        parts = [
            scene.sequence_editor.strips.new_movie(f"cut {n}", told["plate"], 1, 10 + 10 * n, fit_method="ORIGINAL")
            for n in (0, 1)
        ]
        scene.sequence_editor.strips.new_sound("sound", told["plate"], 4, 10)
    else:
        parts = [images(scene, f"cut {n}", told["files"], 1, 10 + 10 * n) for n in (0, 1)]
    parts[0].frame_final_start, parts[0].frame_final_end = 12, 16
    parts[1].frame_final_start, parts[1].frame_final_end = 27, 30
    parts[0].channel = parts[1].channel = 1  # they were in each other's way before they were trimmed
    scene.sequence_editor.strips.new_effect(
        "title", "COLOR", 2, 26, **({"length": 3} if bpy.app.version >= (5, 0) else {"frame_end": 29})
    ).mute = True
    scene.faceplate_strips.source = told["source"]
    scene.faceplate_strips.handles = 1
    before = [told_of(s) for s in scene.sequence_editor.strips]
    select(scene, *scene.sequence_editor.strips)
    scene.sequence_editor.strips["title"].select = False
    bpy.ops.faceplate.replace_face()
    under_way = len(link.tickets())
    wait(link)
    rendered = []
    patches = [s for s in scene.sequence_editor.strips if s.name.endswith("face")]
    for frame in (12, 15, 29):
        for name, mute in (("plate", True), ("patched", False)):
            for patch in patches:
                patch.mute = mute
            for kind in (".png", ".exr"):
                file = f"{told['folder']}/{name}.{frame}{kind}"
                shot(scene, frame, file, exact=kind == ".exr")
        rendered.append(frame)
    for patch in patches:
        patch.mute = False
    bpy.ops.faceplate.replace_face()  # the same again: the patches give way
    wait(link)
    return {
        "before": before,
        "after": [told_of(s) for s in scene.sequence_editor.strips if not s.name.endswith("face")],
        "patches": [told_of(s) for s in scene.sequence_editor.strips if s.name.endswith("face")],
        "notes": list(notes),
        "jobs": [job["result"]["overlay"] for job in link.state.jobs],
        "under_way": under_way,
        "frames": rendered,
    }


def modifier(module: Any, told: dict[str, Any]) -> Any:
    """A strip that gets its new face as a modifier: rendered without it, with it, smaller, and by the file opened again; then one that cannot."""
    link, notes = module("link").session, module("sequencer.panel").notes
    scene = fresh(400, 300, keep=told["blend"])
    strip = images(scene, "cut", told["files"], 1, 10)
    strip.frame_final_start, strip.frame_final_end = 12, 16
    scene.faceplate_strips.source, scene.faceplate_strips.as_modifier = told["source"], True
    scene.faceplate_strips.swap.light = 0.1

    def shots(name: str) -> None:
        for frame in (12, 15):
            shot(bpy.context.scene, frame, f"{told['folder']}/{name}.{frame}.png")

    shots("plate")
    select(scene, strip)
    bpy.ops.faceplate.replace_face()
    wait(link)
    kept = strip.modifiers[0].node_group if len(strip.modifiers) else None
    bpy.ops.faceplate.replace_face()
    wait(link)
    shots("patched")
    found = {
        "strips": [told_of(s) for s in scene.sequence_editor.strips],
        "modifiers": [[m.name, m.type, m.node_group == kept] for m in strip.modifiers],
        "inputs": [i.name for i in kept.interface.items_tree if i.in_out == "INPUT"] if kept else [],
        "notes": list(notes),
    }
    for mute in (True, False):
        for m in strip.modifiers:
            m.mute = mute
        strip.transform.scale_x = strip.transform.scale_y = 0.5
        shots("small plate" if mute else "small")
    strip.transform.scale_x = strip.transform.scale_y = 1.0
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=told["blend"])
    shots("again")
    strip = bpy.context.scene.sequence_editor.strips["cut"]
    strip.use_reverse_frames = True
    select(bpy.context.scene, strip)
    try:
        bpy.ops.faceplate.replace_face()
    except RuntimeError as e:
        found["refused"] = str(e)
    wait(link)
    return found


def overlays(module: Any, told: dict[str, Any]) -> Any:
    """A plate of any depth, alone and below its overlays, as it is and at half its size, turned."""
    strips, land = module("sequencer.strips"), module("sequencer.place")
    scene = fresh(64, 48, keep=told["blend"])
    plate = images(scene, "plate", told["files"], 1, 1)
    for name in ("straight", "turned"):
        if name == "turned":
            plate.transform.scale_x = plate.transform.scale_y = 0.6
            plate.transform.rotation, plate.transform.offset_x, plate.use_flip_x = 0.4, 5, True
        patch, _ = land.land(
            module("sequencer.strips").target_of(scene, plate, strips.read(plate, scene), 0), told["overlay"], 7, 8
        )
        for state, mute in (("plate", True), ("patched", False)):
            patch.mute = mute
            shot(scene, 1, f"{told['folder']}/{name}.{state}.exr", exact=True)
    return {
        "alpha": patch.alpha_mode,
        "space": patch.colorspace_settings.name,
        "blends": scene.sequencer_colorspace_settings.name,
    }


def panel(module: Any, told: dict[str, Any]) -> Any:
    """What the panels and the menu show."""
    scene = fresh(112, 16, keep=told["blend"])
    strip = scene.sequence_editor.strips.new_movie("clip", told["movie"], 1, 10, fit_method="ORIGINAL")
    scene.sequence_editor.active_strip = strip
    module("sequencer.panel").note("Something has come", "Look at it")
    found = {}
    for each in module("sequencer.panel").CLASSES:
        shown = SimpleNamespace(layout=Layout(), show=getattr(each, "show", None))  # noqa: F821
        each.draw(shown, bpy.context)
        found[each.bl_label] = shown.layout.taken()
    return found


def refused(module: Any, told: dict[str, Any]) -> Any:
    """What cannot be done is said at once."""
    found = {}

    def ask(name: str, scene: Any, *strips: Any) -> None:
        select(scene, *strips)
        try:
            bpy.ops.faceplate.replace_face()
        except RuntimeError as e:
            found[name] = str(e)

    def movie(scene: Any) -> Any:
        return scene.sequence_editor.strips.new_movie("clip", told["movie"], 1, 10, fit_method="ORIGINAL")

    scene = fresh(112, 16)
    ask("unsaved", scene, movie(scene))
    scene = fresh(112, 16, keep=told["blend"])
    strip = movie(scene)
    ask("no source", scene, strip)
    scene.faceplate_strips.source = told["movie"]
    add_retiming_key(scene, strip, 20)
    ask("speeds", scene, strip)
    scene = fresh(112, 16, keep=told["blend"])
    scene.faceplate_strips.source = told["movie"]
    strip = movie(scene)
    new_effect = scene.sequence_editor.strips.new_effect
    length = {"length": 10} if bpy.app.version >= (5, 0) else {"frame_end": 20}
    speed = new_effect("faster", "SPEED", 2, 10, input1=strip, **length)
    ask("effect", scene, strip)
    ask("no footage", scene, speed)
    scene.sequence_editor.strips.remove(speed)
    scene.sequencer_colorspace_settings.name = "Linear Rec.709"
    ask("space", scene, strip)
    scene.sequencer_colorspace_settings.name = "sRGB"
    scene.faceplate_strips.swap.method = "model"
    ask("no model", scene, strip)
    scene.faceplate_strips.swap.method, scene.faceplate_strips.source = "reference", ""
    strip.faceplate_source = True
    ask("source alone", scene, strip)
    select(scene, strip, scene.sequence_editor.strips.new_movie("plate", told["movie"], 2, 10))
    found["source too"] = str([each.name for each in module("sequencer.settings").plates(scene)])
    return found


def gone(module: Any, told: dict[str, Any]) -> Any:
    """While the engine works the strip goes, is moved, the scene is renamed, the file is closed."""
    link, notes = module("link").session, module("sequencer.panel").notes
    strips = module("sequencer.strips")
    found = {}

    def begin() -> tuple[Any, Any, Any]:
        notes.clear()
        scene = fresh(112, 16, keep=told["blend"])
        strip = scene.sequence_editor.strips.new_movie("clip", told["movie"], 1, 10, fit_method="ORIGINAL")
        strip.frame_final_end = 20
        shown = strips.read(strip, scene)
        target = module("sequencer.strips").target_of(scene, strip, shown, 0)
        ended = module("sequencer.operators").landing(target, *shown.range)
        return scene, strip, lambda: ended({"state": "finished", "result": {"overlay": told["overlay"]}})

    def end(name: str, ended: Any) -> None:
        ended()
        editor = bpy.context.scene.sequence_editor
        found[name] = {
            "notes": list(notes),
            "patches": [told_of(s) for s in editor.strips_all if s.name.endswith("face")] if editor else [],
        }

    scene, strip, ended = begin()
    scene.sequence_editor.strips.remove(strip)
    end("deleted", ended)
    scene, strip, ended = begin()
    strip.frame_start += 100
    scene.name = "Edit"
    end("moved", ended)
    scene, strip, ended = begin()
    strip.frame_final_end = 25
    end("longer", ended)
    scene, strip, ended = begin()
    strip.frame_final_end = 38
    strip.frame_final_start = 30
    end("elsewhere", ended)
    scene, strip, ended = begin()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    end("closed", ended)
    scene, strip, ended = begin()
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=told["blend"])
    end("opened again", ended)
    assert not link.tickets()
    return found


def train(module: Any, told: dict[str, Any]) -> Any:
    """One strip of each performer: the model is named at the end, though the file was closed meanwhile."""
    link, notes = module("link").session, module("sequencer.panel").notes
    scene = fresh(400, 300, keep=told["blend"])
    target = scene.sequence_editor.strips.new_movie("target", told["target"], 1, 10)
    source = scene.sequence_editor.strips.new_movie("source", told["source"], 2, 10)
    source.faceplate_source = True
    target.frame_final_start, target.frame_final_end = 18, 40  # frames 8 to 29, and two handles
    scene.faceplate_strips.training_minutes, scene.faceplate_strips.handles = told["minutes"], 2
    scene.faceplate_strips.swap.source_performer = told["performer"]
    select(scene, target, source)
    bpy.ops.faceplate.train_on_strips()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    wait(link, told["seconds"])
    jobs = [(job["kind"], job["state"], job["error"]) for job in reversed(link.state.jobs)]
    return {"notes": list(notes), "jobs": jobs}
