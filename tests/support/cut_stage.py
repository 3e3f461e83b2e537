"""A cut in Blender's sequencer goes out as an edit and comes back; played inside a real Blender after `sequencer_stage`."""

from __future__ import annotations

from typing import Any

import bpy


def strip_of(strip: Any) -> dict[str, Any]:
    """All that must be the same again."""
    found = {
        **told_of(strip),  # noqa: F821
        "muted": strip.mute,
        "inputs": [one.name for one in (getattr(strip, f"input_{n}", None) for n in (1, 2)) if one is not None],
    }
    if strip.type not in ("META", "SOUND") and not found["inputs"]:
        found["turned"] = [round(strip.transform.rotation, 5), round(strip.transform.offset_x, 5), strip.use_flip_x]
    if strip.type == "SOUND":
        found["volume"] = round(strip.volume, 5)
    if strip.type == "META":
        found["strips"] = sorted((strip_of(one) for one in strip.strips), key=lambda s: s["name"])
    if strip.type == "TEXT":
        found["text"] = strip.text
    found["keys"] = len(getattr(strip, "retiming_keys", ()))
    return found


def scene_of(scene: Any) -> dict[str, Any]:
    return {
        "rate": [scene.render.fps, round(scene.render.fps_base, 6)],
        "range": [scene.frame_start, scene.frame_end],
        "markers": [[m.name, m.frame] for m in scene.timeline_markers],
        "strips": sorted((strip_of(s) for s in scene.sequence_editor.strips), key=lambda s: s["name"]),
    }


def effect(into: Any, name: str, kind: str, channel: int, left: int, right: int, **inputs: Any) -> Any:
    long = {"length": right - left} if bpy.app.version >= (5, 0) else {"frame_end": right}
    return into.new_effect(name, kind, channel, left, **long, **inputs)


def set_speed(scene: Any, strip: Any, percent: float) -> None:
    with retiming(scene, strip):  # noqa: F821
        bpy.ops.sequencer.retiming_segment_speed_set(speed=percent)


def rich(told: dict[str, Any]) -> Any:
    """One strip of each kind, trimmed, slipped, turned and retimed."""
    scene = fresh(112, 16, 25, keep=told["blend"])  # noqa: F821
    scene.frame_start, scene.frame_end = 3, 90
    scene.timeline_markers.new("here", frame=12)
    made = scene.sequence_editor.strips
    a = made.new_movie("a", told["movie"], 1, -6, fit_method="ORIGINAL")
    a.frame_final_start, a.frame_final_end = 5, 20
    b = images(scene, "b", told["files"], 2, 12)  # noqa: F821
    b.frame_final_start, b.frame_final_end = 14, 30
    effect(made, "cross", "GAMMA_CROSS", 3, 14, 20, input1=a, input2=b)
    backwards = made.new_movie("backwards", told["movie"], 1, 40, fit_method="ORIGINAL")
    backwards.use_reverse_frames = True
    backwards.frame_final_start, backwards.frame_final_end = 45, 60
    slow = made.new_movie("slow", told["movie"], 2, 40, fit_method="ORIGINAL")
    set_speed(scene, slow, 66)
    slow.frame_final_start, slow.frame_final_end = 62, 75
    turned = images(scene, "turned", told["files"][3:4], 4, 62)  # noqa: F821
    turned.frame_final_end = 70
    turned.transform.rotation, turned.transform.offset_x, turned.use_flip_x = 0.4, 5.0, True
    turned.blend_type, turned.blend_alpha = "ALPHA_OVER", 0.5
    effect(made, "colour", "COLOR", 5, 64, 68).mute = True
    sound = made.new_sound("sound", told["sound"], 6, 2)
    sound.frame_final_start, sound.frame_final_end = 9, 25
    sound.volume = 0.25
    meta = made.new_meta("meta", 7, 76)
    inner = meta.strips.new_movie("inner", told["movie"], 1, 70, fit_method="ORIGINAL")
    inner.frame_final_start, inner.frame_final_end = 74, 90
    title = effect(meta.strips, "title", "TEXT", 2, 78, 84)
    title.text = "Ende"
    meta.frame_final_end = 88
    meta.frame_final_start = 77
    meta.channel = 7
    return scene


def seen(scene: Any, told: dict[str, Any], name: str) -> list[str]:
    files = []
    for frame in told["frames"]:
        files.append(f"{told['folder']}/{name}.{frame:04d}.png")
        shot(scene, frame, files[-1])  # noqa: F821
    return files


def out_and_back(module: Any, told: dict[str, Any]) -> Any:
    """A cut of strips, as it is, as an edit, and as the scene that the edit becomes."""
    link, notes = module("link").session, module("sequencer.panel").notes
    scene = rich(told)
    before, frames = scene_of(scene), seen(scene, told, "before")
    name = scene.name
    assert bpy.ops.faceplate.export_otio(filepath=told["edit"], profile=told["profile"]) == {"FINISHED"}
    wait(link)  # noqa: F821
    out = list(notes)
    notes.clear()
    assert bpy.ops.faceplate.import_otio(filepath=told["edit"]) == {"FINISHED"}
    wait(link)  # noqa: F821
    made = bpy.context.window_manager.windows[0].scene
    assert made.name != name, list(notes)
    again = seen(made, told, "after")
    bpy.ops.wm.save_mainfile()
    return {
        "before": before,
        "after": scene_of(made),
        "frames": [frames, again],
        "notes": [out, list(notes)],
        "still": scene_of(bpy.data.scenes[name]) == before,
    }


def read_edit(module: Any, told: dict[str, Any]) -> Any:
    """An edit of another program's: its strips, and the numbers that are seen in frames."""
    link, notes = module("link").session, module("sequencer.panel").notes
    fresh(112, 16, 25, keep=told["blend"])  # noqa: F821
    bpy.ops.faceplate.import_otio(filepath=told["edit"])
    wait(link)  # noqa: F821
    made = bpy.context.window_manager.windows[0].scene
    made.render.engine, made.cycles.samples = "CYCLES", 1
    made.render.resolution_x, made.render.resolution_y, made.render.resolution_percentage = 112, 16, 100
    made.render.dither_intensity = 0.0
    numbers = seen_numbers(made, *told["range"], told["folder"]) if "range" in told else []  # noqa: F821
    return {"scene": scene_of(made), "numbers": numbers, "notes": list(notes)}


def undone(module: Any, told: dict[str, Any]) -> Any:
    """An edit that was taken in is undone, and done again: the scenes there are, and the one whose strips are seen."""
    scene = fresh(112, 16, 25, keep=told["blend"])  # noqa: F821
    window = bpy.context.window_manager.windows[0]
    if bpy.app.version >= (5, 0):
        window.workspace.sequencer_scene = scene
    bpy.ops.ed.undo_push(message="A Cut")
    bpy.ops.faceplate.import_otio(filepath=told["edit"])
    wait(module("link").session)  # noqa: F821
    found = []
    for step in (lambda: None, bpy.ops.ed.undo, bpy.ops.ed.redo):
        window = bpy.context.window_manager.windows[0]
        with bpy.context.temp_override(window=window):
            step()
        seen = window.workspace.sequencer_scene if bpy.app.version >= (5, 0) else window.scene
        found.append([seen and seen.name, sorted(scene.name for scene in bpy.data.scenes)])
    return [*found, bpy.data.is_dirty]


def run_edit(module: Any, told: dict[str, Any]) -> Any:
    """Edits before and after a run, each as a scene of its own: the same frames of both."""
    link, notes = module("link").session, module("sequencer.panel").notes
    fresh(112, 16, 25, keep=told["blend"])  # noqa: F821
    found = {}
    for name, edit in told["edits"].items():
        bpy.ops.faceplate.import_otio(filepath=edit)
        wait(link)  # noqa: F821
        made = bpy.context.window_manager.windows[0].scene
        made.render.engine, made.cycles.samples, made.render.dither_intensity = "CYCLES", 1, 0.0
        made.render.resolution_percentage = 100
        strips = [[s.name, s.channel, s.frame_final_start, s.frame_final_end] for s in made.sequence_editor.strips]
        found[name] = {"strips": sorted(strips), "frames": seen(made, told, name)}
    return found | {"notes": list(notes)}
