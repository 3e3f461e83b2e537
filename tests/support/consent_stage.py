"""Consent and Content Credentials in a real Blender: scenes for test_blender_consent and test_blender_credentials, after `sequencer_stage`.

Nothing is pressed to learn how consent stands: what Blender's timers do is done (`pump`), and what nodes and panels draw is taken down.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy


def sentences(drawn: list[Any]) -> list[list[Any]]:
    """Lines with an icon, each with those that go on with it."""
    found: list[list[Any]] = []
    goes_on = False  # a line that goes on with one without an icon, as of a note, is not looked at either
    for icon, text, red in drawn:
        if icon == "BLANK1" and goes_on:
            found[-1][1] += f" {text}"
        elif icon != "BLANK1":
            goes_on = icon not in ("", "NONE")
            found += [[icon, text, red]] if goes_on else []
    return found


def swap_node(show: Path, movie: str = "plate.mp4", source: str = "source.mp4") -> Any:
    """A new file in a show's folder with a plate and a Face Swap node."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = empty_scene(400, 300, 1, 3)  # noqa: F821
    tree, end = compositor(scene)  # noqa: F821
    plate = tree.nodes.new("CompositorNodeImage")
    plate.name = "Plate"
    plate.image = bpy.data.images.load(str(show / movie))
    plate.frame_duration, plate.frame_start, plate.use_auto_refresh = 3, 1, True
    swap = tree.nodes.new("FaceplateSwapNode")
    tree.links.new(plate.outputs["Image"], swap.inputs["Image"])
    tree.links.new(swap.outputs["Image"], end.inputs[0])
    bpy.ops.wm.save_as_mainfile(filepath=str(show / "shot.blend"))
    swap.source, swap.show_performers = str(show / source), True
    return swap


def settle() -> None:
    """Blender is left alone until all that was drawn is answered."""
    session = part("link").session  # noqa: F821
    pump(lambda: not session.busy())  # noqa: F821


def shown(node: Any, *, brief: bool = False) -> list[list[Any]]:
    """What the node, or the sidebar, says."""
    layout, draws = Layout(), part("tree.node").FaceNode  # noqa: F821
    (draws.draw_buttons if brief else draws.draw_buttons_ext)(node, bpy.context, layout)
    return sentences(layout.drawn)


def press(node: Any, action: str) -> list[str]:
    """Press a button, and wait: how the node stands then."""
    with suppress(RuntimeError):  # it says why
        begin(node, action)  # noqa: F821
    pump(lambda: node.state != "BUSY")  # noqa: F821
    return [node.state, f"{node.message}. {node.remedy}"]


def made(show: Path) -> list[str]:
    """What was made in a show."""
    return sorted(p.name for p in show.rglob("*") if p.suffix in (".exr", ".npy", ".onnx"))


def refusals(shows: dict[str, tuple[str, list[str]]]) -> dict[str, Any]:
    """Each show on a node: what is shown unasked, and what these buttons do."""
    told = {}
    for name, (folder, actions) in shows.items():
        show = Path(folder)
        swap = swap_node(show)
        shown(swap)  # it is drawn once before it knows
        settle()
        Layout.buttons.clear()  # noqa: F821
        said, brief = shown(swap), shown(swap, brief=True)
        pressed = {action: press(swap, action) for action in actions}
        commands = [button.text for name, button in Layout.buttons if name == "faceplate.copy"]  # noqa: F821
        told[name] = {"shown": said, "brief": brief, "pressed": pressed, "made": made(show), "commands": commands}
    return told


def kept_current(told: dict[str, Any]) -> dict[str, Any]:
    """One node, and what it says after each thing that changes whom it would use."""
    show, known = Path(told["show"]), part("consent").monitor.answers  # noqa: F821
    swap = swap_node(show)
    tree = swap.id_data
    seen: dict[str, Any] = {}

    def look(name: str) -> None:
        shown(swap, brief=True)  # it is drawn once before it knows
        settle()
        seen[name] = shown(swap, brief=True)

    look("nobody is named")
    swap.settings.target_performer = "Ben"
    look("who is replaced is")
    swap.settings.source_performer = "Ben"
    look("who is put in is")
    swap.settings.source_performer = ""
    tree.nodes["Plate"].image.filepath = str(show / "known.mp4")
    look("the plate is another")
    swap.settings.target_performer = ""
    look("and known by itself")
    swap.source = str(show / "known.mp4")
    look("the source is the same")
    swap.source = str(show / "source.mp4")
    swap.settings.method, swap.settings.model = "model", told["model"]
    look("a model is used")
    swap.settings.method = "reference"
    tree.links.remove(swap.inputs["Image"].links[0])
    look("no plate is linked")
    tree.links.new(tree.nodes["Plate"].outputs["Image"], swap.inputs["Image"])
    shown(swap)
    settle()
    before = [each.job for each in known.values() if each.allowed]
    for light in range(5):
        swap.settings.light = light / 10
        shown(swap)
        settle()
    now = [each.job for each in known.values() if each.allowed]
    seen["nothing is asked twice"] = before != [] and all(a is b for a, b in zip(before, now, strict=True))
    jobs = part("link").session.look().list()["jobs"]  # noqa: F821
    part("consent").monitor.again()  # noqa: F821
    shown(swap)
    settle()
    seen["no job when it is"] = jobs == part("link").session.look().list()["jobs"]  # noqa: F821
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    swap = next(part("tree").all_nodes())  # noqa: F821
    seen["just opened"] = shown(swap, brief=True)
    look("opened")
    seen["kept in the file"] = any(b"may be replaced" in each.read_bytes() for each in show.glob("*.blend"))
    records(told, "revoke", "Ben")
    seen["pressed"] = press(swap, "PREVIEW")
    look("revoked")
    records(told, "add", told["ben"], "--self", "--use", "replaced,train")
    bpy.ops.faceplate.ask_again()
    settle()
    look("asked again")
    link = part("link").session  # noqa: F821
    link.look().stop()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    swap = next(part("tree").all_nodes())  # noqa: F821
    look("no engine")
    seen["started"] = link.look() is not None  # nobody has pressed anything
    bpy.ops.faceplate.start_engine()
    pump(lambda: link.state.engine == "running")  # noqa: F821
    settle()
    look("an engine")
    return seen


def records(told: dict[str, Any], *words: str) -> None:
    """Change the records, outside of Blender."""
    command = [told["python"], "-m", "host_bridge.cli", "performer", *words]
    subprocess.run(command, cwd=told["show"], check=True, stdout=subprocess.DEVNULL)


def in_sequencer(told: dict[str, Any]) -> dict[str, Any]:
    """Strips that are selected one after the other: what the panel shows, what is made, what is refused."""
    show = Path(told["show"])
    scene = fresh(400, 300, keep=str(show / "edit.blend"))  # noqa: F821
    new = scene.sequence_editor.strips.new_movie
    known, plate = (new(n, str(show / f"{n}.mp4"), i + 1, 10) for i, n in enumerate(("known", "plate")))
    cast = scene.faceplate_strips
    cast.source = str(show / "source.mp4")
    seen: dict[str, Any] = {}

    def panel() -> list[Any]:
        layout = Layout()  # noqa: F821
        for name in ("", "_performers", "_train"):
            getattr(part("sequencer.panel"), f"FACEPLATE_PT_strips{name}").show(layout, bpy.context.scene)  # noqa: F821
        return layout.drawn

    def look(name: str) -> None:
        panel()  # it is drawn once before it knows
        settle()
        drawn = panel()
        fields = [text for _, text, _ in drawn]
        at = fields.index("faceplate.replace_face")
        seen[name] = {"swap": sentences(drawn[:at]), "train": sentences(drawn[at:]), "fields": fields}

    known.select, plate.select = True, False
    look("known")
    plate.select, known.select = True, False
    look("not known")
    seen["refused"] = run(bpy.ops.faceplate.replace_face)
    cast.swap.target_performer = "Ben"
    look("named")
    cast.swap.source_performer = "Anna"
    look("both are")
    known.select = True
    look("two clips")
    known.select = False
    seen["replaced"] = run(bpy.ops.faceplate.replace_face)
    cast.swap.source_performer = "Carl"
    seen["nobody of that name"] = run(bpy.ops.faceplate.train_on_strips)
    look("nobody")
    return seen


def rendered(told: dict[str, Any]) -> tuple[Any, Path]:
    """A node that has rendered its range, and the folder of its results."""
    swap = swap_node(Path(told["show"]))
    assert press(swap, "RENDER")[0] == "DONE", swap.message
    bpy.ops.wm.save_mainfile()
    return swap, swap.place()


def tampered_node(told: dict[str, Any]) -> dict[str, Any]:
    """What Verify on a node says of its results as they were made, and of each way to change them."""
    swap, place = rendered(told)
    kept = place.with_name("kept")
    shutil.copytree(place, kept)
    patches = [f"shot/patch/patch.{n:04d}.exr" for n in range(3)]
    seen: dict[str, Any] = {"intact": press(swap, "VERIFY")}

    def look(name: str, change: Any) -> None:
        change()
        seen[name] = press(swap, "VERIFY")
        shutil.rmtree(place)
        shutil.copytree(kept, place)

    look("a byte flipped", lambda: flip(place / patches[1]))
    look("frames exchanged", lambda: exchange(place / patches[0], place / patches[2]))
    look("manifest removed", lambda: (place / "shot/patch/patch.c2pa").unlink())
    look("manifest of another", lambda: shutil.copy(place / "shot/composite.c2pa", place / "shot/patch/patch.c2pa"))
    look("movie changed", lambda: flip(place / "shot/composite.mkv"))
    look(
        "changed where Blender reads",
        lambda: shutil.copy(place / "shot/whole/whole.0000.exr", place / "shot/whole/whole.0001.exr"),
    )
    look("gone where Blender reads", lambda: (place / "shot/whole/whole.0002.exr").unlink())
    look("as it was", lambda: None)
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    swap = next(part("tree").all_nodes())  # noqa: F821
    seen["opened again"] = press(swap, "VERIFY")
    assert press(swap, "PREVIEW")[0] == "DONE", swap.message
    seen["a preview"] = press(swap, "VERIFY")
    flip(next((place / "preview").glob("patch.*.exr")))
    seen["a preview changed"] = press(swap, "VERIFY")
    return seen


def tampered_strip(told: dict[str, Any]) -> dict[str, Any]:
    """What Verify says of a patch above a strip, and in 5.0 of one inside it."""
    show = Path(told["show"])
    scene = fresh(400, 300, keep=str(show / "edit.blend"))  # noqa: F821
    strip = scene.sequence_editor.strips.new_movie("cut", str(show / "plate.mp4"), 1, 10)
    scene.faceplate_strips.source = str(show / "source.mp4")
    seen: dict[str, Any] = {"nothing to verify": not bpy.ops.faceplate.verify_strips.poll()}

    run(bpy.ops.faceplate.replace_face)
    for each in scene.sequence_editor.strips:
        each.select = each != strip
    place = show / "faceplate/Scene/cut"
    frames, manifest = sorted((place / "overlay").glob("overlay.*.png")), place / "overlay/overlay.c2pa"
    seen["intact"] = run(bpy.ops.faceplate.verify_strips)
    flip(frames[1])
    seen["a byte flipped"] = run(bpy.ops.faceplate.verify_strips)
    flip(frames[1])
    aside = manifest.rename(place / "aside")
    seen["manifest removed"] = run(bpy.ops.faceplate.verify_strips)
    shutil.copy(place / "patch/patch.c2pa", manifest)
    seen["manifest of another"] = run(bpy.ops.faceplate.verify_strips)
    aside.replace(manifest)
    seen["as it was"] = run(bpy.ops.faceplate.verify_strips)
    if not NEW:  # noqa: F821
        return seen
    strip.select, scene.faceplate_strips.as_modifier = True, True
    run(bpy.ops.faceplate.replace_face)
    seen["modifier intact"] = run(bpy.ops.faceplate.verify_strips)
    whole = sorted((place / "whole").glob("whole.*.exr"))
    shutil.copy(whole[0], whole[1])
    seen["modifier changed"] = run(bpy.ops.faceplate.verify_strips)
    return seen


def run(operator: Any) -> list[Any]:
    """Press a button of the sequencer's, and wait: what the panel says of it."""
    notes = part("sequencer.panel").notes  # noqa: F821
    notes.clear()
    operator()
    pump(lambda: not part("link").session.tickets())  # noqa: F821
    return list(notes)


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def exchange(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
