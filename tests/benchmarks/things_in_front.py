"""Things with an exact alpha before a face: rendered by Blender once, then laid over clips of real people so that they move with the head."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from nodes.files import whole_file
from nodes.footage.colour import luminance
from nodes.geometry.sampling import warp
from nodes.geometry.similarity import fit_similarity
from nodes.geometry.smoothing import smooth
from nodes.mask import draw_regions
from nodes.progress import Progress
from nodes.subjects.subject import load_subject
from nodes.types import Float, Roi
from trainer.synthetic.people.face import Region
from trainer.synthetic.people.person import Origin, Person, Wardrobe
from trainer.synthetic.props.things import Prop
from trainer.synthetic.render import Passes, render
from trainer.synthetic.scene import Material, MeshThing, Scene, World
from trainer.synthetic.take import Actor, Lens, Lighting, Spoken, Take, players, scene_of
from trainer.synthetic.truth.truth import measure_truth

FRAMES = 16
_STRANDS: tuple[Region, ...] = ("left eye", "left cheek", "nose")
_PROPS: Mapping[str, tuple[Prop, ...]] = {
    "hand": (Prop(kind="hand", region="mouth", start=0.3, end=9),),
    "strands": tuple(
        Prop(kind="strands", region=region, start=0, end=9, seed=seed) for seed, region in enumerate(_STRANDS)
    ),
    "microphone": (Prop(kind="microphone", start=0.2, end=9),),
    "glasses": (),
    "paper": (Prop(kind="paper", start=0.35, end=9),),
    "passing": (Prop(kind="hand", path="cross", region="nose", start=0, end=FRAMES / 24),),
}
THINGS = tuple(_PROPS)
_THINGS_OF = ("0.front.", "0.glasses.frame")  # what a thing consists of, by name in the scene
_HELD_OUT = "0.skin"  # hides what is behind it
_BLACK = Material("plain", {"colour": [0.0, 0.0, 0.0], "roughness": 1.0})
_SMOOTHED = 9  # frames over which the way of a thing is smoothed
_SOFT = 0.6  # pixels: a lens and a codec blur at least as much
_GAINS = 0.2, 5.0  # a face may be so much darker or brighter than the rendered one


@dataclass(frozen=True)
class Layer:
    """A rendered thing over T frames. rgba: [T, H, W, 4], scene-linear, premultiplied. landmarks: [T, 478, 2] of the face behind it, pixels.

    face: mean scene-linear colour [3] of that face in the same light. skin: whether the thing has the face's colour, not only its light.
    """

    rgba: Float
    landmarks: Float
    face: Float
    skin: bool


def load_thing(name: str, folder: Path, size: int = 512, frames: int = FRAMES) -> Layer:
    """Read a thing from `folder`, where it is rendered first if it is missing; a render that was stopped goes on. Raises FaceplateError."""
    file = folder / f"{name}.npz"
    if not file.is_file():
        take = _take(name, size, frames)
        rgba, landmarks = _rendered(take, folder / name)
        face = _face_colour(take.model_copy(update={"frames": 1, "size": (256, 256)}), folder / "face")
        with whole_file(file, sync=False) as temporary, temporary.open("wb") as out:
            np.savez_compressed(out, rgba=rgba.astype(np.float16), landmarks=landmarks, face=face)
    with np.load(file) as arrays:
        rgba = arrays["rgba"].astype(np.float32)
        return Layer(rgba, arrays["landmarks"], arrays["face"], name in ("hand", "passing"))


def _take(name: str, size: int, frames: int) -> Take:
    person = Person.from_seed(11, sex=0.0, age=30.0, origin=Origin(caucasian=1.0), wardrobe=Wardrobe(glasses="square"))
    samples = 96 if name == "strands" else 16  # thin hairs with few samples are noise, also in the truth's flicker
    return Take(
        name=name, seed=3, frames=frames, size=(size, size), rate=Fraction(24), samples=samples, place="studio",
        cast=(Actor(person=person, acting=Spoken(text="0s relax"), props=_PROPS[name]),),
        lens=Lens(face=0.5, aim=(0.0, 0.14)), lighting=Lighting(size=2.0, fill=0.6, rim=8.0),
    )  # fmt: skip


def _scene(take: Take, *prefixes: str, held_out: str | None = None) -> tuple[Scene, Float]:
    """Return the scene with some of its things alone, before black, and the true landmarks [T, 478, 2]."""
    there = players(take)
    scene = scene_of(take, there)
    kept = [thing for thing in scene.things if thing.name.startswith(prefixes)]
    for thing in scene.things:
        if isinstance(thing, MeshThing) and thing.name == held_out:
            kept.append(replace(thing, material=_BLACK, vertices=thing.vertices[:1], attributes={}))  # nobody moves
    world = [player.posed @ player.placed[:3, :3].T + player.placed[:3, 3] for player in there]
    curves = [player.acting.coefficients for player in there]
    truth = measure_truth([player.figure for player in there], curves, world, scene.camera, scene.size)
    black = World(np.zeros((2, 4, 3), np.float32))
    return replace(scene, things=tuple(kept), world=black), truth.landmarks[0, ..., :2]


def _rendered(take: Take, folder: Path) -> tuple[Float, Float]:
    """Render a thing before a black person and black surroundings, so that the picture is premultiplied as it comes: no colour of theirs is in it."""
    of = _THINGS_OF[:1] if take.cast[0].props else _THINGS_OF[1:]
    scene, landmarks = _scene(take, *of, held_out=_HELD_OUT)
    layers = []
    for file in render(scene, folder, progress=_tell(take.name)):
        passes = Passes(file)
        alpha = passes.matte(*of)[..., None]
        layers.append(np.concatenate([np.where(alpha > 0, np.maximum(passes.rgb, 0), 0), alpha], -1))
    return np.stack(layers), landmarks


def _tell(name: str) -> Progress:
    return lambda stage, done, total: print(f"{stage} {name}: {done} of {total}", file=sys.stderr, flush=True)


def _face_colour(take: Take, folder: Path) -> Float:
    """Render the bare skin of the face and return its mean colour."""
    bare = take.cast[0].model_copy(update={"props": ()})
    scene, landmarks = _scene(take.model_copy(update={"cast": (bare,), "name": "face"}), "0.skin", "0.eye.")
    passes = Passes(render(scene, folder)[0])
    return mean_colour(passes.rgb, draw_regions(landmarks, len(passes.rgb), load_subject("face"))[0] * passes.matte("0.skin"))  # fmt: skip


def mean_colour(linear: Float, matte: Float) -> Float:
    """Return the mean colour [3] of a picture [H, W, 3] inside a matte [H, W]."""
    return np.asarray((linear * matte[..., None]).sum((0, 1)) / max(float(matte.sum()), 1e-6), np.float32)


def place(layer: Layer, landmarks: Float) -> Float:
    """Fit the way of a thing to a face: [T, 2, 3], from the rendered picture to the clip's. landmarks: of the clip's face, [T, 478, >=2], pixels."""
    weights = load_subject("face").weights
    scale, rotation, position = fit_similarity(layer.landmarks, landmarks[..., :2], weights)
    return smooth(np.concatenate([scale[:, None, None] * rotation, position[..., None]], -1), _SMOOTHED)


def gain_of(layer: Layer, face: Float) -> Float:
    """Return the gain [3] that brings a thing into the light of a face of this mean colour [3], and a hand to its colour too."""
    gain = face / layer.face if layer.skin else np.repeat(luminance(face) / luminance(layer.face), 3)
    return np.asarray(np.clip(gain, *_GAINS), np.float32)


def lay_over(linear: Float, rgba: Float, to_clip: Float, gain: Float) -> tuple[Float, Float]:
    """Lay one frame of a thing over a picture, in linear light.

    linear: [H, W, 3]. rgba: [h, w, 4], premultiplied. to_clip: [2, 3], from its pixels to the picture's. Returns the picture and the alpha [H, W] of the thing in it.
    """
    roi = Roi(0, 0, linear.shape[1], linear.shape[0])
    to_thing = np.linalg.inv(np.vstack([to_clip.astype(np.float64), [0, 0, 1]]))
    placed = warp(rgba, to_thing, roi, border=cv2.BORDER_CONSTANT, interpolation=cv2.INTER_LINEAR)
    placed = np.asarray(cv2.GaussianBlur(placed, (0, 0), _SOFT), np.float32)
    alpha = np.clip(placed[..., 3], 0, 1)
    return np.asarray(placed[..., :3] * gain + (1 - alpha[..., None]) * linear, np.float32), alpha
