# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of Blender from `scene.json` and its arrays; `set_frame` puts all that moves into place for one frame."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Stage:
    """A scene in Blender. Arrays of one frame hold for all; velocities for motion blur come from the frames before and after."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scene = json.loads((folder / "scene.json").read_text("utf-8"))
        self.arrays: dict[str, Array] = {}
        self.moving: list[Callable[[int], None]] = []
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._settings()
        self._camera()
        self._world()
        for light in self.scene["lights"]:
            self._light(light)
        for thing in self.scene["things"]:
            self._strands(thing) if "points" in thing else self._mesh(thing)

    def array(self, told: dict[str, Any]) -> Array:
        """Read an array, once, without loading what is not used."""
        name = told["array"]
        if name not in self.arrays:
            self.arrays[name] = np.load(self.folder / name, mmap_mode="r")
        return self.arrays[name]

    def set_frame(self, frame: int) -> None:
        """Move everything to where it is in a frame, counted from 0."""
        for move in self.moving:
            move(frame)
        bpy.context.scene.cycles.seed = self.scene["seed"] + frame
        bpy.context.view_layer.update()

    def _settings(self) -> None:
        scene, told = bpy.context.scene, self.scene
        scene.render.engine = "CYCLES"
        scene.render.resolution_x, scene.render.resolution_y = told["size"]
        scene.render.fps, scene.render.fps_base = told["rate"][0], told["rate"][1]
        scene.render.use_motion_blur, scene.render.motion_blur_shutter = told["shutter"] > 0, max(told["shutter"], 0.01)
        scene.render.use_persistent_data = True
        scene.view_settings.view_transform = "Raw"
        cycles = scene.cycles
        cycles.samples, cycles.use_denoising = told["samples"], True
        cycles.denoiser, cycles.denoising_input_passes = "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL"
        cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, 0.03
        cycles.denoising_prefilter = "FAST"
        cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 2
        cycles.transmission_bounces, cycles.transparent_max_bounces, cycles.volume_bounces = 2, 12, 0
        scene.cycles_curves.subdivisions = 1
        scene.cycles_curves.shape = "RIBBONS"
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect = 4.0
        layer = bpy.context.view_layer
        layer.use_pass_z = layer.use_pass_normal = layer.use_pass_uv = True
        layer.use_pass_diffuse_color = layer.use_pass_diffuse_direct = layer.use_pass_diffuse_indirect = True
        layer.use_pass_cryptomatte_object, layer.pass_cryptomatte_depth = True, 6
        image = scene.render.image_settings
        image.media_type = "MULTI_LAYER_IMAGE"
        image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "32", "ZIP"

    def _camera(self) -> None:
        told = self.scene["camera"]
        data = bpy.data.cameras.new("camera")
        data.sensor_fit, data.sensor_width = "HORIZONTAL", 36.0
        data.clip_start = 0.02
        if told["fstop"]:
            data.dof.use_dof, data.dof.aperture_fstop = True, told["fstop"]
        thing = self._object("camera", data)
        bpy.context.scene.camera = thing
        focal, focus = self.array(told["focal"]), self.array(told["focus"])
        self._moves(thing, told["matrices"])

        def lens(frame: int) -> None:
            data.lens = float(focal[min(frame, len(focal) - 1)])
            data.dof.focus_distance = float(focus[min(frame, len(focus) - 1)])

        self.moving.append(lens)

    def _world(self) -> None:
        told = self.scene["world"]
        world = bpy.context.scene.world = bpy.data.worlds.new("world")
        world.use_nodes = True
        tree = world.node_tree
        picture = tree.nodes.new("ShaderNodeTexEnvironment")
        picture.image = self.image("world", told["image"])
        ground = tree.nodes["Background"]
        ground.inputs["Strength"].default_value = told["strength"]
        tree.links.new(picture.outputs["Color"], ground.inputs["Color"])

    def _light(self, told: dict[str, Any]) -> None:
        data = bpy.data.lights.new(told["name"], "AREA")
        data.color = told["colour"]
        data.shape = "RECTANGLE"
        data.size, data.size_y = told["size"]
        thing = self._object(told["name"], data)
        self._moves(thing, told["matrices"])
        power = self.array(told["power"])

        def lit(frame: int) -> None:
            data.energy = float(power[min(frame, len(power) - 1)])

        self.moving.append(lit)

    def _mesh(self, told: dict[str, Any]) -> None:
        vertices, corners, starts = (self.array(told[part]) for part in ("vertices", "corners", "starts"))
        mesh = bpy.data.meshes.new(told["name"])
        mesh.vertices.add(vertices.shape[1])
        mesh.loops.add(len(corners))
        mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(corners))
        mesh.polygons.add(len(starts) - 1)
        mesh.polygons.foreach_set("loop_start", np.ascontiguousarray(starts[:-1]))
        mesh.polygons.foreach_set("use_smooth", np.ones(len(starts) - 1, bool))
        if told["uv"]:
            layer = mesh.uv_layers.new()
            layer.uv.foreach_set("vector", np.ascontiguousarray(self.array(told["uv"])).ravel())
        mesh.vertices.foreach_set("co", np.ascontiguousarray(vertices[0]).ravel())
        mesh.update(calc_edges=True)
        thing = self._object(told["name"], mesh)
        mesh.materials.append(self._material(told, thing))
        if told["subdivision"]:
            modifier = thing.modifiers.new("subdivision", "SUBSURF")
            modifier.levels = modifier.render_levels = told["subdivision"]
        for name, values in told["attributes"].items():
            self._numbers(mesh, name, self.array(values))
        self._deforms(mesh, mesh.vertices, "co", vertices)

    def _strands(self, told: dict[str, Any]) -> None:
        points, radius = self.array(told["points"]), self.array(told["radius"])
        _, strands, length, _ = points.shape
        curves = bpy.data.hair_curves.new(told["name"])
        curves.add_curves([length] * strands)
        curves.attributes.new("radius", "FLOAT", "POINT")
        curves.attributes["radius"].data.foreach_set("value", np.ascontiguousarray(radius).ravel())
        curves.materials.append(self._material(told, self._object(told["name"], curves)))
        self._deforms(curves, curves.position_data, "vector", points)

    def _deforms(self, data: Any, elements: Any, name: str, positions: Array) -> None:
        """Follow positions [T or 1, ..., 3]; with their velocity, in metres a second, where the shutter is open."""
        frames = len(positions)
        rate = self.scene["rate"][0] / self.scene["rate"][1]
        velocity = None
        if self.scene["shutter"] > 0 and frames > 1:
            velocity = data.attributes.new("velocity", "FLOAT_VECTOR", "POINT")

        def move(frame: int) -> None:
            elements.foreach_set(name, np.ascontiguousarray(positions[frame]).ravel())
            if velocity:
                before, after = max(frame - 1, 0), min(frame + 1, frames - 1)
                speed = (positions[after] - positions[before]) * np.float32(rate / (after - before))
                data.attributes["velocity"].data.foreach_set("vector", speed.ravel())
            data.update_tag()
            if hasattr(data, "update"):
                data.update()

        if frames > 1:
            self.moving.append(move)
        else:
            elements.foreach_set(name, np.ascontiguousarray(positions[0]).ravel())

    def _numbers(self, mesh: Any, name: str, values: Array) -> None:
        mesh.attributes.new(name, "FLOAT", "POINT")

        def set_numbers(frame: int) -> None:
            mesh.attributes[name].data.foreach_set("value", np.ascontiguousarray(values[min(frame, len(values) - 1)]))

        set_numbers(0)
        if len(values) > 1:
            self.moving.append(set_numbers)

    def _material(self, told: dict[str, Any], thing: Any) -> Any:
        """Make the material of a thing: by `blender/KIND.py`, or by a function of that name in `blender/stuff.py`."""
        material = told["material"]
        kind, values = material["kind"], material["values"]
        images = {name: self.image(f"{thing.name}.{name}", image) for name, image in material["images"].items()}
        if (Path(__file__).parent / f"{kind}.py").is_file():
            made = importlib.import_module(kind).material(values, images)
        else:
            made = getattr(importlib.import_module("stuff"), kind)(values, images)
        for name, curve in material["curves"].items():
            self._property(thing, name, self.array(curve))
        return made

    def _property(self, thing: Any, name: str, curve: Array) -> None:
        def set_property(frame: int) -> None:
            thing[name] = float(curve[min(frame, len(curve) - 1)])
            thing.update_tag()

        set_property(0)
        self.moving.append(set_property)

    def image(self, name: str, told: dict[str, Any]) -> Any:
        """Make an image of Blender from an array [H, W] or [H, W, 3], whose first row is the top."""
        pixels = np.asarray(self.array(told))
        height, width = pixels.shape[:2]
        rgba = np.ones((height, width, 4), np.float32)
        rgba[..., :3] = pixels[::-1] if pixels.ndim == 3 else pixels[::-1, :, None]
        image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=True, is_data=True)
        image.pixels.foreach_set(rgba.ravel())
        image.update()
        image.pack()
        return image

    def _object(self, name: str, data: Any) -> Any:
        thing = bpy.data.objects.new(name, data)
        bpy.context.collection.objects.link(thing)
        return thing

    def _moves(self, thing: Any, told: dict[str, Any]) -> None:
        """Place a rigid thing by its matrices; where the shutter is open, by keys of the frames before and after."""
        matrices = self.array(told)
        if len(matrices) == 1:
            thing.matrix_world = matrices[0].T.tolist()
            return
        blur = self.scene["shutter"] > 0

        def move(frame: int) -> None:
            if not blur:
                thing.matrix_world = matrices[frame].T.tolist()
                return
            thing.animation_data_clear()
            for k in (frame - 1, frame, frame + 1):
                thing.matrix_world = matrices[min(max(k, 0), len(matrices) - 1)].T.tolist()
                thing.keyframe_insert("location", frame=k)
                thing.rotation_mode = "QUATERNION"
                thing.keyframe_insert("rotation_quaternion", frame=k)

        self.moving.append(move)
