"""The extension in a real Blender: built, judged by Blender's own tool, installed, enabled, and gone without a trace."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import install.blender
from nodes.definitions import NODES
from tests import ROOT
from tests.support.blender import Blender


def test_the_zip_is_valid_for_blenders_own_tool(blender: Blender, extension: Path) -> None:
    command = [str(blender.program)]
    if blender.is_module:
        command += [blender.run("import bl_pkg\nanswer(str(Path(bl_pkg.__file__).parent / 'cli' / 'blender_ext.py'))")]
    else:
        command += ["--command", "extension"]
    done = subprocess.run([*command, "validate", str(extension)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout


def test_the_zip_is_the_same_for_the_same_sources_and_holds_client_and_definitions(
    extension: Path,
    tmp_path: Path,
) -> None:
    one, other = (install.blender.build(tmp_path / name).read_bytes() for name in ("one", "other"))
    assert one == other
    with zipfile.ZipFile(extension) as packed:
        assert packed.read("client.py") == (ROOT / "host_bridge/client.py").read_bytes()
        told = json.loads(packed.read("nodes.json"))
        assert told["nodes"] == json.loads(json.dumps([node.schema() for node in NODES]))
        assert not [name for name in packed.namelist() if "__pycache__" in name]


def test_every_file_that_runs_in_blender_says_its_licence_and_imports_little(extension: Path) -> None:
    allowed = sys.stdlib_module_names | {"numpy", "bpy"}
    with zipfile.ZipFile(extension) as packed:
        for name in packed.namelist():
            if not name.endswith(".py"):
                continue
            text = packed.read(name).decode()
            if name not in ("client.py", "session.py"):  # what other hosts load too
                assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n"), name
            for node in ast.walk(ast.parse(text)):
                found = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level:
                    found = [node.module or ""]
                assert {each.partition(".")[0] for each in found} <= allowed, f"{name}: {found}"


def test_parameters_are_those_of_the_definitions(faceplate_in: Blender) -> None:
    found = faceplate_in.run("""
enable()
scene = empty_scene(64, 64, 1, 2)
tree, end = compositor(scene)
told = {}
for name in ("Detect", "Align", "Mask", "Swap"):
    node = tree.nodes.new(f"Faceplate{name}Node")
    told[name] = {}
    for key, p in node.settings.bl_rna.properties.items():
        about = {"description": p.description, "animatable": p.is_animatable, "type": p.type, "subtype": p.subtype}
        if p.type in ("INT", "FLOAT"):
            about |= {"min": p.hard_min, "max": p.hard_max}
        if p.type != "POINTER":
            about["default"] = p.default
        if p.type == "ENUM":
            about["items"] = [item.identifier for item in p.enum_items]
        told[name][key] = about
    for socket in node.node_tree.interface.items_tree:
        if socket.in_out == "INPUT" and socket.socket_type == "NodeSocketFloat":
            told[name][socket.name] = {"min": socket.min_value, "max": socket.max_value, "default": socket.default_value,
                "description": socket.description, "type": "FLOAT", "animatable": True}
groups = [tree.nodes.new(f"Faceplate{name}Node") for name in told]
groups += [scene.faceplate_strips, *(getattr(scene.faceplate_strips, name.lower()) for name in told)]
groups += [node.settings for node in groups[:4]]
ours = {f"{n} {type(g).__name__}.{key}": p for n, g in enumerate(groups) for key, p in g.bl_rna.properties.items() if key in g.__annotations__}
ours["source"] = bpy.types.Strip.bl_rna.properties["faceplate_source"]
told["read once"] = sorted(key for key, p in ours.items() if p.type != "POINTER" and p.is_animatable)
told["looked at"] = len(ours)
answer(told)
""")
    assert found["looked at"] > 60 and found["read once"] == []  # what only acts when a job is asked for
    for node in NODES:
        for name, field in node.parameters.model_fields.items():
            schema = node.schema()["parameters"]["properties"][name]
            shown = found[node.name].get(name) or found[node.name][name.title()]
            extra = schema
            assert shown["description"].startswith(schema["description"].rstrip(".")), name
            assert (schema.get("unit") or "") in shown["description"], name
            assert shown["animatable"] == extra["keyframeable"], name
            kinds = [schema, *schema.get("anyOf", [])]
            for told, mine in (("minimum", "min"), ("maximum", "max")):
                for kind in kinds:
                    if told in kind:
                        assert shown[mine] == pytest.approx(kind[told], rel=1e-6), name
            default = field.get_default()
            if shown["type"] == "ENUM":
                choices = node.schema()["parameters"]["$defs"][schema["$ref"].rpartition("/")[2]]["enum"]
                assert (shown["items"], shown["default"]) == (choices, default.value), name
            elif default is None:
                assert shown.get("default") == "" or found[node.name][f"{name}_auto"]["default"] is True, name
            else:
                assert shown["default"] == pytest.approx(default) or shown["default"] == default, name


def test_a_new_node_asks_for_exactly_the_defaults(faceplate_in: Blender) -> None:
    asked = faceplate_in.run("""
enable()
tree, end = compositor(empty_scene(64, 64, 1, 2))
nodes = [tree.nodes.new(f"Faceplate{name}Node") for name in ("Detect", "Align", "Mask", "Swap")]
for one, other in zip(nodes, nodes[1:]):
    tree.links.new(one.outputs["Faces"], other.inputs["Faces"])
answer(nodes[-1].parameters("Detect", "Align", "Mask", "Swap"))
""")
    for node in NODES:
        assert node.parameters.model_validate(asked[node.name.lower()]) == node.parameters(), node.name


def test_enabling_and_disabling_leaves_nothing_and_costs_little(faceplate_in: Blender) -> None:
    told = faceplate_in.run("""
def seen():
    return {
        "classes": sorted(name for name in dir(bpy.types) if "aceplate" in name or "FACEPLATE" in name),
        "operators": sorted(name for name in dir(bpy.ops.faceplate)),
        "menu": len(bpy.types.NODE_MT_add._dyn_ui_initialize()),
        "handlers": sum(len(h) for name in dir(bpy.app.handlers) if isinstance(h := getattr(bpy.app.handlers, name), list)),
        "threads": threads(),
    }
before = seen()
costs = []
for _ in range(2):
    began = time.thread_time()
    enable()
    costs.append(time.thread_time() - began)
    during = seen()
    part("link").session.refresh()
    timer = part("link").pump
    assert bpy.app.timers.is_registered(timer)
    disable()
    assert not bpy.app.timers.is_registered(timer)
    assert seen() == before, (seen(), before)
answer({"cost": costs, "during": during, "before": before})
""")
    assert told["before"]["classes"] == [] and told["before"]["operators"] == [] and told["during"]["classes"]
    assert told["cost"][0] < 0.1, told["cost"]  # the second time, all is loaded


def test_nothing_is_left_in_the_users_folder_but_the_extension(faceplate_in: Blender) -> None:
    left = [
        str(file.relative_to(faceplate_in.user))
        for file in faceplate_in.user.rglob("*faceplate*")
        if "extensions/user_default" not in file.as_posix()
    ]
    assert left == []


def test_the_installer_installs_and_removes(blender: Blender, tmp_path: Path) -> None:
    user, out = tmp_path / "user", tmp_path / "out"
    user.mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "install/blender.py"), *arguments, "--out", str(out)]
        command += ["--blender", str(blender.program), "--user", str(user)]
        return subprocess.run(command, capture_output=True, text=True)

    dry = run("install", "--dry-run")
    assert dry.returncode == 0 and str(user) in dry.stdout and not out.exists() and not list(user.iterdir()), dry.stderr
    done = run("install")
    assert done.returncode == 0, done.stderr
    (manifest,) = user.rglob("blender_manifest.toml")
    assert manifest.parent.name == "faceplate"
    done = run("uninstall")
    assert done.returncode == 0 and "removed" in done.stdout, done.stderr
    assert not list(user.rglob("blender_manifest.toml"))


def test_the_installer_says_when_there_is_no_blender(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "install/blender.py"), "install", "--blender", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("Error: ") and "--blender" in done.stderr


def test_what_arrives_from_the_engine_is_an_undo_step_of_its_own(faceplate_in: Blender) -> None:
    changed, after, again = faceplate_in.run("""
enable()
scene, undo = bpy.context.scene, part("undo")
undo.push("Open")
bpy.ops.wm.save_as_mainfile(filepath=str(Path(bpy.app.tempdir) / "undo.blend"))
scene.frame_end = 7
undo.push("Render Range")
changed = bpy.data.is_dirty
scene.render.fps = 30
undo.push("Something Else")
def undone():
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo()
    return [bpy.context.scene.frame_end, bpy.context.scene.render.fps]
answer([changed, undone(), undone()])
""")
    assert changed and after == [7, 24] and again == [250, 24]
