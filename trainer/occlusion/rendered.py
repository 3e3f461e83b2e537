"""Rendered examples: takes of people who do not exist, with things before their faces, cut to aligned crops with exact mattes."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from nodes.geometry.sampling import crop
from nodes.mask.classes import CLASSES
from nodes.progress import Progress, quiet
from nodes.types import Faces, Float, Track
from trainer.occlusion.examples import SIDE, Examples, crops_of, eight_bit_classes
from trainer.synthetic.make import load_take, make_take
from trainer.synthetic.people.face import Region
from trainer.synthetic.people.person import Hair, Person
from trainer.synthetic.picture import displayed, eight_bits, grained
from trainer.synthetic.places import Place
from trainer.synthetic.props.things import Kind, Prop
from trainer.synthetic.render import Passes
from trainer.synthetic.take import Actor, Delivery, Improvised, Lens, Lighting, Take
from trainer.synthetic.truth.truth import read_truth

# The things of a person or before it that belong to each class, by how their names begin after the person's number; all else is `other`.
_THINGS = {
    "face": ("skin", "eye.", "cornea.", "teeth.", "gums.", "tongue", "hair.brow", "hair.lash", "hair.beard"),
    "hair": ("hair.scalp", "front.strands"),
    "hand": ("front.hand",),
    "glasses": ("glasses.",),
}
_PROPS: dict[Kind, float] = {"hand": 10, "strands": 2, "microphone": 1.5, "glass": 1, "paper": 1, "stick": 1}
_REGIONS: dict[Region, float] = {"mouth": 3, "chin": 1.5, "left cheek": 1.5, "right cheek": 1.5}
_RATE = Fraction(5, 2)  # frames a second: few, so that each differs a lot
_GRAIN = 0.1
_HAIR_BLUR = 1.0  # pixels
_SIDE = 256  # pixels of a frame: nearly those of a crop, and quicker to render


def random_take(seed: int, frames: int) -> Take:
    """Draw a take of a person, with things before the face in two of three, in any light, seen from any side in front."""
    random = np.random.default_rng([seed, 20])
    stops, lighting = _light(random)
    return Take(
        name=f"occlusion-{seed}",
        seed=seed,
        frames=frames,
        start=int(random.integers(0, 3)),
        size=(_SIDE, _SIDE),
        rate=_RATE,
        shutter=float(random.choice([0.0, 0.04, 0.08])),
        samples=6,
        cast=(
            Actor(
                person=_person(seed, random),
                acting=Improvised(seed=seed),
                turned=float(random.normal(0, 12)),
                props=_props(random, frames / float(_RATE)),
            ),
        ),
        lens=_lens(random),
        lighting=lighting,
        place=get_args(Place)[int(random.integers(len(get_args(Place))))],
        delivery=Delivery(stops=stops, grain=_GRAIN),
    )


def _person(seed: int, random: np.random.Generator) -> Person:
    """Draw a person, with more long hair, fringes and glasses than among all people."""
    person = Person.from_seed(seed)
    if random.random() < 0.4:
        cut = str(random.choice(["long", "long", "bob", "curls"]))
        length = float(random.uniform(*{"long": (0.35, 0.55), "bob": (0.2, 0.3), "curls": (0.1, 0.2)}[cut]))
        told = {"cut": cut, "length": length, "fringe": float(random.uniform(0.3, 1)), "recession": 0.0}
        person = person.model_copy(update={"hair": Hair.model_validate(person.hair.model_dump() | told)})
    if random.random() < 0.33:
        glasses = str(random.choice(["round", "square", "thin", "sun"], p=[0.28, 0.36, 0.24, 0.12]))
        frame = tuple(random.choice([[0.02, 0.02, 0.02], [0.12, 0.05, 0.02], [0.5, 0.35, 0.15], [0.3, 0.02, 0.03]]))
        wardrobe = person.wardrobe.model_copy(update={"glasses": glasses, "frame": frame})
        person = person.model_copy(update={"wardrobe": wardrobe})
    return person


def _props(random: np.random.Generator, seconds: float) -> tuple[Prop, ...]:
    """Draw one or two things before the face in two of three takes, in place most of the time; most are hands."""
    count = int(random.choice(3, p=[1 / 3, 1 / 2, 1 / 6]))
    kinds = random.choice(list(_PROPS), count, replace=False, p=np.array(list(_PROPS.values())) / sum(_PROPS.values()))
    regions, props = get_args(Region), []
    chances = np.array([_REGIONS.get(region, 1.0) for region in regions])
    for kind in kinds.tolist():
        start = float(random.uniform(0, 0.35) * seconds)
        told = {
            "kind": kind,
            "region": str(random.choice(regions, p=chances / chances.sum())),
            "start": start,
            "end": float(random.uniform(start + 0.4 * seconds, 1.1 * seconds)),
            "path": "cross" if kind in ("hand", "paper") and random.random() < 0.15 else None,
            "side": str(random.choice(["left", "right"])) if random.random() < 0.3 else None,
            "seed": int(random.integers(1 << 30)),
        }
        props.append(Prop.model_validate(told))
    return tuple(props)


def _lens(random: np.random.Generator) -> Lens:
    around = float(random.choice([random.uniform(-50, 50), random.normal(0, 15)]))
    told = {
        "focal": float(random.choice([50, 85, 135])),
        "face": float(random.uniform(0.68, 0.8)),
        "around": float(np.clip(around, -50, 50)),
        "height": float(random.normal(0, 0.06)),
        "aim": (0.0, 0.06),
        "fstop": float(random.uniform(1.4, 4)) if random.random() < 0.25 else None,
        "move": str(random.choice(["still", "orbit"], p=[0.4, 0.6])),
        "amount": float(random.uniform(0.3, 0.9)),
    }
    return Lens.model_validate(told)


def _light(random: np.random.Generator) -> tuple[float, Lighting]:
    """Draw a light, and the stops by which the picture is exposed: soft, from one side, dark, coloured, or from behind."""
    kind = str(random.choice(["soft", "side", "dark", "coloured", "behind"], p=[0.3, 0.2, 0.15, 0.2, 0.15]))
    warm = 1 - random.uniform(0, [0.1, 0.3])
    side = float(random.choice([-1, 1]) * random.uniform(10, 60))
    told = {
        "side": side,
        "height": float(random.uniform(0, 55)),
        "power": float(random.uniform(18, 45)),
        "size": float(random.uniform(0.2, 1.5)),
        "colour": (1.0, *warm.tolist()),
        "fill": float(random.uniform(0.05, 0.5)),
        "rim": float(random.uniform(0, 25)),
        "around": float(random.uniform(0.3, 1.2)),
        "moving": "sweep" if random.random() < 0.3 else "still",
    }
    stops = float(random.normal(0, 0.4))
    if kind == "side":
        told |= {"side": float(np.sign(side) * random.uniform(60, 100)), "fill": 0.03, "around": 0.2}
    elif kind == "dark":
        told |= {"around": 0.25, "fill": 0.05}
        stops -= float(random.uniform(1, 2.2))
    elif kind == "coloured":
        told |= {
            "colour": tuple(random.uniform(0.1, 1, 3)),
            "rim_colour": tuple(random.uniform(0.05, 1, 3)),
            "around": 0.35,
        }
        stops += 0.7
    elif kind == "behind":
        told |= {"power": 6.0, "rim": float(random.uniform(40, 90)), "around": 1.0}
    return stops, Lighting.model_validate(told)


def examples_of(folder: Path) -> Examples:
    """Cut examples out of the frames of a finished take that show the first person's face; raises FaceplateError."""
    take, truth = load_take(folder), read_truth(folder / "truth.npz")
    landmarks = truth.landmarks[0]
    frames = np.flatnonzero(truth.visible[0].mean(1) > 0.02)
    track = Track(0, np.arange(len(landmarks)), truth.boxes[0], np.ones(len(landmarks), np.float32), landmarks)
    alignment = crops_of(Faces(*take.size, take.rate, 0, len(landmarks), tracks=(track,)))[0]
    pictures, classes = [], []
    for frame in frames:
        passes = Passes(folder / "frames" / f"{frame:04d}.exr")
        picture = displayed(passes.rgb, take.delivery.stops)
        mattes = [passes.matte(*(f"0.{thing}" for thing in _THINGS.get(name, ()))) for name in CLASSES[:-1]]
        layers = np.concatenate([picture, np.stack(mattes, -1)], -1)
        layers[..., 3:] = _blended(layers[..., 3:])
        cut = crop(layers, alignment.to_plate[frame : frame + 1], SIDE)[0]
        pictures.append(eight_bits(grained(cut[..., :3], take.delivery.grain, take.seed * 100_003 + int(frame))))
        shares = np.moveaxis(cut[..., 3:], -1, 0)
        classes.append(eight_bit_classes(np.concatenate([shares, 1 - shares.sum(0, keepdims=True).clip(0, 1)])))
    shape = len(frames), SIDE, SIDE
    return Examples(
        np.array(pictures, np.uint8).reshape(*shape, 3),
        np.array(classes, np.uint8).reshape(shape[0], len(CLASSES), SIDE, SIDE),
        np.full(shape, 255, np.uint8),
        alignment.landmarks[frames],
    )


def _blended(mattes: Float) -> Float:
    """Blur mattes [H, W, 4] where hair mixes with other things, whose coverage few light paths leave noisy, and nowhere else."""
    soft = cv2.GaussianBlur(mattes, (0, 0), _HAIR_BLUR)
    share = cv2.blur(soft[..., CLASSES.index("hair")], (5, 5))[..., None]
    return np.asarray(mattes + np.minimum(8 * share * (1 - share), 1) * (soft - mattes), np.float32)


def render_examples(
    folder: Path, count: int, frames: int = 4, *, first: int = 0, step: int = 1, progress: Progress = quiet
) -> list[Path]:
    """Render the takes `first`, `first + step` and so on below `count`, and return one file of examples for each.

    Their frames are deleted. Stopped, the same call goes on; several processes may share the work by `first` and `step`. Raises FaceplateError.
    """
    files = []
    for seed in range(first, count, step):
        progress("takes", seed // step, len(range(first, count, step)))
        file, take = folder / f"{seed:04d}.npz", folder / f"take-{seed:04d}"
        if not file.is_file():
            make_take(random_take(seed, frames), take, workers=1)
            examples_of(take).save(file)
            shutil.rmtree(take)
        files.append(file)
    return files
