"""A person that does not exist: everything that a seed decides, from the origin to the colour of the shirt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Signed = Annotated[float, Field(ge=-1.0, le=1.0)]
Colour = tuple[Unit, Unit, Unit]  # linear Rec.709
Cut = Literal["bald", "buzz", "short", "parted", "swept", "curls", "afro", "bob", "long", "tied"]
BeardStyle = Literal["none", "stubble", "moustache", "goatee", "full"]
GlassesStyle = Literal["none", "round", "square", "thin", "sun"]
ClothesStyle = Literal["tshirt", "shirt", "sweater"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Part):
    """Weights of the three shapes of head that MakeHuman blends; they sum to 1."""

    caucasian: Unit = 1.0
    african: Unit = 0.0
    asian: Unit = 0.0


class Skin(_Part):
    """Look of the skin. melanin: 0 palest to 1 darkest; redness: blood; undertone: -1 olive to 1 rosy; oil: sheen; shadow: dark rings below the eyes."""

    melanin: Unit = 0.2
    redness: Unit = 0.4
    undertone: Signed = 0.0
    freckles: Unit = 0.0
    moles: Unit = 0.1
    blemishes: Unit = 0.1
    spots: Unit = 0.0
    pores: Unit = 0.5
    oil: Unit = 0.4
    sweat: Unit = 0.0
    wrinkles: Unit = 0.0
    shadow: Unit = 0.2
    tan: Unit = 0.2


class Makeup(_Part):
    """Strengths 0..1 and colours of makeup."""

    lips: Unit = 0.0
    lip_colour: Colour = (0.45, 0.05, 0.07)
    lids: Unit = 0.0
    lid_colour: Colour = (0.2, 0.1, 0.08)
    liner: Unit = 0.0
    blush: Unit = 0.0


class Eyes(_Part):
    """Look of the eyes. iris: colour of the fibres; inner: around the pupil; pupil: its radius by the iris's; veins and yellow: of the sclera; size of the iris: 1 is 11.8 mm.

    cover: how far the upper lid at rest reaches down over the iris of the left and the right eye, millimetres.
    """

    iris: Colour = (0.1, 0.05, 0.02)
    inner: Colour = (0.16, 0.09, 0.03)
    ring: Unit = 0.6
    fibres: Unit = 0.6
    pupil: Annotated[float, Field(ge=0.2, le=0.6)] = 0.38
    size: Annotated[float, Field(ge=0.9, le=1.1)] = 1.0
    veins: Unit = 0.3
    yellow: Unit = 0.2
    cover: tuple[float, float] = (1.5, 1.5)


class Hair(_Part):
    """Hair of the head. melanin 0 blond to 1 black; red: pheomelanin; grey: share of white hairs; length: metres; curl, density, recession 0..1; parting: -1 right to 1 left.

    fringe: how far a bob covers the forehead and long hair falls before the face, 0..1.
    """

    cut: Cut = "short"
    melanin: Unit = 0.7
    red: Unit = 0.1
    grey: Unit = 0.0
    length: Annotated[float, Field(ge=0.0, le=0.6)] = 0.05
    curl: Unit = 0.1
    density: Unit = 0.8
    recession: Unit = 0.0
    parting: Signed = 0.4
    fringe: Unit = 0.0


class Brows(_Part):
    """Brows and lashes. thickness, density, lashes (length) 0..1; arch: -1 flat to 1 high; melanin: as of the hair."""

    thickness: Unit = 0.5
    arch: Signed = 0.0
    density: Unit = 0.6
    melanin: Unit = 0.75
    grey: Unit = 0.0
    lashes: Unit = 0.5
    mascara: Unit = 0.0


class Beard(_Part):
    """Facial hair. length: metres; density 0..1; melanin, red, grey as of the hair."""

    style: BeardStyle = "none"
    length: Annotated[float, Field(ge=0.0, le=0.08)] = 0.001
    density: Unit = 0.7
    melanin: Unit = 0.7
    red: Unit = 0.15
    grey: Unit = 0.0


class Teeth(_Part):
    """Teeth. yellow: shade; uneven: how crooked."""

    yellow: Unit = 0.3
    uneven: Unit = 0.2


class Wardrobe(_Part):
    """Clothes and glasses."""

    clothes: ClothesStyle = "tshirt"
    colour: Colour = (0.1, 0.12, 0.16)
    pattern: Unit = 0.0
    glasses: GlassesStyle = "none"
    frame: Colour = (0.02, 0.02, 0.02)


# Targets of the face as MakeHuman names them: the ends of each pair, and the standard deviation of its weight in a population.
_PAIRS: Mapping[str, tuple[str, str, float]] = {
    "nose-scale-horiz": ("decr", "incr", 0.22),
    "nose-scale-vert": ("decr", "incr", 0.13),
    "nose-scale-depth": ("decr", "incr", 0.16),
    "nose-trans": ("down", "up", 0.1),
    "nose-hump": ("decr", "incr", 0.18),
    "nose-curve": ("concave", "convex", 0.18),
    "nose-greek": ("decr", "incr", 0.15),
    "nose-point": ("down", "up", 0.15),
    "nose-point-width": ("decr", "incr", 0.3),
    "nose-width1": ("decr", "incr", 0.25),
    "nose-width2": ("decr", "incr", 0.25),
    "nose-width3": ("decr", "incr", 0.25),
    "nose-nostrils-width": ("decr", "incr", 0.2),
    "nose-nostrils-angle": ("down", "up", 0.25),
    "nose-base": ("down", "up", 0.15),
    "nose-volume": ("decr", "incr", 0.16),
    "nose-septumangle": ("decr", "incr", 0.15),
    "mouth-scale-horiz": ("decr", "incr", 0.25),
    "mouth-scale-vert": ("decr", "incr", 0.12),
    "mouth-trans": ("down", "up", 0.2),
    "mouth-upperlip-height": ("decr", "incr", 0.15),
    "mouth-upperlip-volume": ("decr", "incr", 0.25),
    "mouth-upperlip-width": ("decr", "incr", 0.25),
    "mouth-lowerlip-height": ("decr", "incr", 0.15),
    "mouth-lowerlip-volume": ("decr", "incr", 0.25),
    "mouth-lowerlip-width": ("decr", "incr", 0.25),
    "mouth-cupidsbow": ("decr", "incr", 0.3),
    "mouth-cupidsbow-width": ("decr", "incr", 0.3),
    "mouth-philtrum-volume": ("decr", "incr", 0.3),
    "mouth-angles": ("down", "up", 0.15),
    "mouth-dimples": ("in", "out", 0.2),
    "chin-bones": ("decr", "incr", 0.25),
    "chin-cleft": ("decr", "incr", 0.25),
    "chin-height": ("decr", "incr", 0.14),
    "chin-jaw-drop": ("decr", "incr", 0.18),
    "chin-prominent": ("decr", "incr", 0.22),
    "chin-prognathism": ("decr", "incr", 0.08),
    "chin-width": ("decr", "incr", 0.22),
    "forehead-nubian": ("decr", "incr", 0.08),
    "forehead-scale-vert": ("decr", "incr", 0.06),
    "forehead-temple": ("decr", "incr", 0.18),
    "forehead-trans": ("backward", "forward", 0.2),
    "eyebrows-angle": ("down", "up", 0.3),
    "eyebrows-trans": ("down", "up", 0.25),
    "head-scale-horiz": ("decr", "incr", 0.15),
    "head-scale-vert": ("decr", "incr", 0.12),
    "head-scale-depth": ("decr", "incr", 0.2),
    "head-angle": ("in", "out", 0.06),
    "head-back-scale-depth": ("decr", "incr", 0.2),
    "neck-scale-horiz": ("decr", "incr", 0.2),
    "neck-scale-depth": ("decr", "incr", 0.2),
    "neck-scale-vert": ("decr", "incr", 0.2),
}
_SIDED: Mapping[str, tuple[str, str, float]] = {
    "cheek-bones": ("decr", "incr", 0.3),
    "cheek-inner": ("decr", "incr", 0.25),
    "cheek-trans": ("down", "up", 0.25),
    "cheek-volume": ("decr", "incr", 0.25),
    "eye-bag": ("decr", "incr", 0.2),
    "eye-corner1": ("down", "up", 0.25),
    "eye-corner2": ("down", "up", 0.2),
    "eye-eyefold": ("down", "up", 0.3),
    "eye-eyefold-angle": ("down", "up", 0.3),
    "eye-epicanthus": ("out", "in", 0.12),
    "eye-height1": ("decr", "incr", 0.2),
    "eye-height2": ("decr", "incr", 0.2),
    "eye-height3": ("decr", "incr", 0.2),
    "eye-push1": ("in", "out", 0.15),
    "eye-push2": ("in", "out", 0.15),
    "eye-scale": ("decr", "incr", 0.18),
    "eye-trans": ("in", "out", 0.2),
    "ear-scale": ("decr", "incr", 0.25),
    "ear-scale-vert": ("decr", "incr", 0.25),
    "ear-lobe": ("decr", "incr", 0.3),
    "ear-wing": ("decr", "incr", 0.25),
    "ear-rot": ("backward", "forward", 0.25),
    "ear-flap": ("decr", "incr", 0.25),
}
_FORMS = ("oval", "round", "square", "rectangular", "triangular", "invertedtriangular", "diamond")
_ASYMMETRIES = (
    "brown-1",
    "brown-2",
    "cheek-1",
    "cheek-2",
    "ear-1",
    "ear-2",
    "eye-1",
    "eye-3",
    "jaw-1",
    "jaw-2",
    "mouth-1",
    "nose-1",
    "nose-2",
)


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers that a seed has for a purpose."""
    return np.random.default_rng([seed, crc32(name.encode())])


class Person(_Part):
    """A performer that does not exist. age: years; sex: 0 female to 1 male; weight, muscle: 0 least, 0.5 average, 1 most.

    shape: weights of MakeHuman's targets of the face by the name of their pair, such as `nose-hump`, -1..1 between its two ends.
    """

    seed: int
    age: Annotated[float, Field(ge=18.0, le=85.0)] = 30.0
    sex: Unit = 0.5
    origin: Origin = Origin()
    weight: Unit = 0.5
    muscle: Unit = 0.5
    shape: Mapping[str, float] = Field(default_factory=dict)
    skin: Skin = Skin()
    makeup: Makeup = Makeup()
    eyes: Eyes = Eyes()
    hair: Hair = Hair()
    brows: Brows = Brows()
    beard: Beard = Beard()
    teeth: Teeth = Teeth()
    wardrobe: Wardrobe = Wardrobe()

    @classmethod
    def from_seed(cls, seed: int, **fixed: Any) -> Self:
        """Draw a person. fixed: fields that are given; the others still follow from them, such as the hair's grey from the age."""
        rng = generator(seed, "person")
        drawn: dict[str, Any] = {
            "age": 18 + 62 * _even(seed, "age") ** 1.2,
            "sex": float(np.clip((_even(seed, "sex") < 0.5) + rng.normal(0, 0.08), 0, 1)),
            "origin": _draw_origin(rng, int(3 * _even(seed, "origin"))),
            "weight": float(np.clip(rng.normal(0.52, 0.17), 0.1, 1.0)),
            "muscle": float(np.clip(rng.normal(0.5, 0.15), 0.1, 0.95)),
        } | {name: fixed[name] for name in ("age", "sex", "origin", "weight", "muscle") if name in fixed}
        base = cls(seed=seed, **drawn)
        parts: dict[str, Any] = {
            "shape": _draw_shape(base),
            "skin": _draw_skin(base),
            "eyes": _draw_eyes(base),
            "hair": _draw_hair(base),
            "teeth": Teeth(
                yellow=_within(generator(seed, "teeth").normal(0.15 + 0.4 * base.aged, 0.12)),
                uneven=_within(generator(seed, "teeth even").normal(0.2, 0.15)),
            ),
            "wardrobe": _draw_wardrobe(base),
        } | {name: value for name, value in fixed.items() if name not in drawn}
        person = cls(seed=seed, **drawn, **parts)
        rest: dict[str, Any] = {
            "makeup": _draw_makeup(person),
            "brows": _draw_brows(person),
            "beard": _draw_beard(person),
        }
        return person.model_copy(update={name: value for name, value in rest.items() if name not in fixed})

    @property
    def aged(self) -> float:
        """Return how old the shape is: 0 up to the age of 25, 1 at 90."""
        return max(0.0, (self.age - 25) / 65)

    @property
    def macros(self) -> dict[str, float]:
        """Return the weights of MakeHuman's targets for sex, age, origin, weight and muscle, which add up to a whole body."""
        old = 0.8 * self.aged
        child = 0.18 * max(0.0, (25 - self.age) / 7)
        ages = {"child": child, "young": 1 - old - child, "old": old}
        sexes = {"female": 1 - self.sex, "male": self.sex}
        muscles, weights = _thirds(self.muscle, "muscle"), _thirds(self.weight, "weight")
        total: dict[str, float] = {}
        for sex, share in sexes.items():
            for age, part in ages.items():
                for origin, whole in self.origin.model_dump().items():
                    total[f"{origin}-{sex}-{age}"] = share * part * whole
                for muscle, strength in muscles.items():
                    for weight, heavy in weights.items():
                        total[f"universal-{sex}-{age}-{muscle}-{weight}"] = share * part * strength * heavy
        return {name: value for name, value in total.items() if value}

    @property
    def details(self) -> dict[str, float]:
        """Return the weights of MakeHuman's targets for the shape of the face."""
        found: dict[str, float] = {}
        for name, value in self.shape.items():
            pair = _PAIRS.get(name) or _SIDED.get(name[2:])
            found[f"{name}-{pair[value > 0]}" if pair else name] = abs(value)
        return found


def _thirds(value: float, name: str) -> dict[str, float]:
    most, least = max(0.0, 2 * value - 1), max(0.0, 1 - 2 * value)
    return {f"min{name}": least, f"average{name}": 1 - most - least, f"max{name}": most}


def _within(value: float, least: float = 0.0, most: float = 1.0) -> float:
    return float(np.clip(value, least, most))


_EVEN = ("sex", "age", "origin", "cut", "beard", "glasses")


def _even(seed: int, name: str) -> float:
    """Return a number, 0..1, that seeds in a row have spread evenly, so that a few of them show all kinds of people: the R sequence of Roberts, 2018."""
    step = 1.1127756842787055  # solves x ** 7 = x + 1
    return float((0.5 + seed * step ** -(1.0 + _EVEN.index(name))) % 1)


def _pick(chances: Mapping[Any, float], even: float) -> Any:
    total = np.cumsum(list(chances.values()))
    return list(chances)[int(np.searchsorted(total, even * total[-1], "right"))]


def _draw_origin(rng: np.random.Generator, mainly: int) -> Origin:
    caucasian, african, asian = rng.dirichlet([1.6 if k == mainly else 0.2 for k in range(3)])
    return Origin(caucasian=float(caucasian), african=float(african), asian=float(asian))


def _draw_shape(person: Person) -> dict[str, float]:
    rng = generator(person.seed, "shape")
    male, aged, origin = person.sex - 0.5, person.aged, person.origin
    means = {
        "chin-width": -0.1 + 0.5 * male,
        "chin-bones": -0.15 + 0.3 * male,
        "chin-height": -0.4 + 0.1 * male,
        "mouth-trans": 0.35 - 0.1 * male,
        "chin-prominent": 0.25 * male,
        "head-scale-vert": -0.12 - 0.3 * male,
        "forehead-scale-vert": -0.05 + 0.2 * male,
        "forehead-nubian": -0.1 * male,
        "forehead-trans": -0.3 * male,
        "nose-scale-vert": -0.3 + 0.05 * aged,
        "nose-scale-depth": -0.1 + 0.3 * male,
        "nose-volume": -0.1 + 0.3 * male,
        "nose-width1": 0.3 * male,
        "nose-width2": -0.1 + 0.4 * male,
        "nose-hump": -0.1 + 0.2 * male,
        "nose-curve": -0.1 + 0.2 * male,
        "nose-point": 0.12 - 0.16 * male - 0.08 * aged,
        "nose-base": 0.1,
        "eyebrows-trans": 0.08 - 0.26 * male,
        "neck-scale-horiz": -0.05 + 0.3 * male,
        "neck-scale-depth": 0.15 * male,
        "mouth-upperlip-volume": -0.1 - 0.2 * aged - 0.15 * male + 0.1 * origin.african,
        "mouth-lowerlip-volume": -0.1 - 0.15 * aged - 0.1 * male + 0.1 * origin.african,
        "mouth-angles": 0.3 - 0.15 * aged,
        "ear-lobe": 0.4 * aged,
        "ear-scale": -0.1 + 0.3 * aged,
        "ear-wing": -0.2,
        "eye-trans": 0.35,
        "eye-scale": 0.5 - 0.1 * male - 0.1 * aged,
        "eye-push1": 0.3,
        "eye-height1": 0.15 - 0.15 * aged,
        "eye-height2": 0.2 - 0.2 * aged,
        "eye-height3": 0.15 - 0.15 * aged,
        "mouth-scale-horiz": 0.45,
        "eye-bag": 0.3 * aged,
        "eye-eyefold": -0.3 * aged,
        "eye-epicanthus": 0.3 * origin.asian,
        "cheek-bones": -0.3 * male,
        "cheek-trans": -0.3 * aged,
        "cheek-volume": -0.15 - 0.2 * male - 0.15 * aged + 0.5 * (person.weight - 0.5),
    }
    shape: dict[str, float] = {}
    for name, (_, _, spread) in _PAIRS.items():
        shape[name] = _within(rng.normal(means.get(name, 0.0), spread), -0.7, 0.7)
    for name, (_, _, spread) in _SIDED.items():
        value = rng.normal(means.get(name, 0.0), spread)
        for side, noise in zip("lr", rng.normal(0, 0.12 * spread, 2), strict=True):
            shape[f"{side}-{name}"] = _within(value + noise, -0.8, 0.8)
    for name in rng.choice(_FORMS, 2, replace=False):
        shape[f"head-{name}"] = abs(rng.normal(0, 0.13))
    for name in rng.choice(_ASYMMETRIES, 4, replace=False):
        shape[f"asym-{name}-{'lr'[rng.integers(2)]}"] = abs(rng.normal(0, 0.2))
    shape["eyebrows-trans-forward" if male > 0 else "eyebrows-trans-backward"] = 0.5 * abs(male)
    shape["head-fat-decr"] = 0.3 - 0.2 * male
    shape["head-invertedtriangular"] = shape.get("head-invertedtriangular", 0.0) + 0.2 - 0.2 * male
    if person.weight > 0.6:
        shape["neck-double-incr"] = _within(1.5 * (person.weight - 0.6))
    return shape


def _draw_skin(person: Person) -> Skin:
    rng = generator(person.seed, "skin")
    origin, aged = person.origin, person.aged
    melanin = _within(
        0.14 * origin.caucasian + 0.24 * origin.asian + 0.72 * origin.african + rng.normal(0, 0.07), 0.03, 0.97
    )
    fair = max(0.0, 1 - 3 * melanin)
    return Skin(
        melanin=melanin,
        redness=_within(rng.normal(0.4 + 0.1 * fair, 0.13)),
        undertone=_within(rng.normal(0.15 * origin.caucasian - 0.25 * origin.asian, 0.3), -1, 1),
        freckles=_within(rng.normal(-0.5 + 1.2 * fair, 0.35)),
        moles=_within(rng.gamma(1.5, 0.12)),
        blemishes=_within(rng.gamma(1.5, 0.12) * (1.2 - aged)),
        spots=_within(rng.normal(1.1 * aged - 0.35, 0.15)),
        pores=_within(rng.normal(0.4 + 0.2 * person.sex, 0.15)),
        oil=_within(rng.normal(0.42 - 0.2 * aged, 0.14)),
        sweat=0.0,
        wrinkles=_within(rng.normal(1.15 * aged, 0.08)),
        shadow=_within(rng.normal(0.2 + 0.25 * aged, 0.13)),
        tan=_within(rng.normal(0.25, 0.2)),
    )


_IRISES: tuple[tuple[Colour, Colour], ...] = (
    ((0.035, 0.016, 0.007), (0.05, 0.022, 0.008)),  # dark brown
    ((0.09, 0.042, 0.015), (0.12, 0.055, 0.016)),  # brown
    ((0.16, 0.1, 0.035), (0.2, 0.1, 0.025)),  # hazel
    ((0.13, 0.15, 0.07), (0.22, 0.13, 0.04)),  # green
    ((0.14, 0.18, 0.22), (0.22, 0.2, 0.14)),  # blue
    ((0.2, 0.23, 0.25), (0.25, 0.24, 0.19)),  # grey
)


def _draw_eyes(person: Person) -> Eyes:
    rng = generator(person.seed, "eyes")
    light = person.origin.caucasian**3
    chances = np.array([0.75 - 0.65 * light, 0.25, 0.14 * light, 0.1 * light, 0.26 * light, 0.1 * light])
    iris, inner = _IRISES[int(rng.choice(len(_IRISES), p=chances / chances.sum()))]
    varied = rng.normal(1, 0.14) * rng.normal(1, 0.05, 3)
    lid = generator(person.seed, "lids")
    cover = lid.normal(1.4 + 0.6 * person.aged + 0.3 * person.sex, 0.4)
    left, right = (_within(cover + lid.normal(0, 0.15), 0.5, 3.0) for _ in range(2))
    return Eyes(
        iris=_tinted(iris, varied),
        inner=_tinted(inner, varied),
        ring=_within(rng.normal(0.6 - 0.3 * person.aged, 0.15)),
        fibres=_within(rng.normal(0.6, 0.15)),
        pupil=_within(rng.normal(0.38 - 0.08 * person.aged, 0.04), 0.2, 0.6),
        size=_within(rng.normal(1, 0.025), 0.9, 1.1),
        veins=_within(rng.normal(0.25 + 0.2 * person.aged, 0.12)),
        yellow=_within(rng.normal(0.12 + 0.3 * person.aged + 0.2 * person.origin.african, 0.08)),
        cover=(left, right),
    )


def _tinted(colour: Colour, factors: npt.NDArray[np.float64]) -> Colour:
    red, green, blue = (_within(value * factor) for value, factor in zip(colour, factors, strict=True))
    return red, green, blue


_CUTS: Mapping[str, Mapping[Cut, float]] = {
    "female": {"long": 2.4, "bob": 2, "tied": 2, "parted": 0.4, "swept": 0.3, "short": 0.6, "curls": 1.2},
    "male": {"short": 3, "parted": 1.6, "swept": 1.6, "buzz": 1.2, "curls": 0.8, "bald": 0.3, "long": 0.3, "tied": 0.1},
}
_LENGTHS: Mapping[Cut, tuple[float, float]] = {
    "bald": (0.0, 0.0),
    "buzz": (0.003, 0.01),
    "short": (0.025, 0.05),
    "parted": (0.05, 0.1),
    "swept": (0.06, 0.12),
    "curls": (0.07, 0.2),
    "afro": (0.03, 0.12),
    "bob": (0.2, 0.3),
    "long": (0.35, 0.55),
    "tied": (0.3, 0.5),
}


def _draw_hair(person: Person) -> Hair:
    rng = generator(person.seed, "hair")
    origin, aged, male = person.origin, person.aged, person.sex > 0.5
    cuts = dict(_CUTS["male" if male else "female"])
    if origin.african > 0.5:
        cuts |= {"afro": 2.0, "buzz": 2.0 if male else 0.3, "curls": 1.5, "parted": 0.2, "swept": 0.2}
    cuts["curls"] *= 1 - 0.8 * origin.asian
    if male:
        cuts["bald"] = 0.3 + 3 * aged
    cut = _pick(cuts, _even(person.seed, "cut"))
    fair = origin.caucasian**2 * rng.random()
    shortest, longest = _LENGTHS[cut]
    return Hair(
        cut=cut,
        melanin=_within(0.95 - 0.75 * fair + rng.normal(0, 0.06), 0.05, 1.0),
        red=_within(rng.gamma(1.0, 0.18) * origin.caucasian + 0.06),
        grey=_within((person.age - rng.normal(52, 8)) / 28),
        length=float(rng.uniform(shortest, longest)),
        curl=_within(0.9 * origin.african + rng.gamma(1.5, 0.12) - 0.1 * origin.asian),
        density=_within(rng.normal(0.85 - 0.25 * aged, 0.08), 0.3, 1.0),
        recession=_within(rng.normal(0.1 + 0.9 * aged, 0.2)) if male else _within(rng.normal(0.15 * aged, 0.05)),
        parting=float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.7)),
        fringe=_within((rng.random() < 0.5) * rng.uniform(0.4, 1.0)),
    )


def _draw_makeup(person: Person) -> Makeup:
    rng = generator(person.seed, "makeup")
    worn = rng.random(3) < (0.65, 0.5, 0.55)
    if person.sex > 0.5 or not worn.any():
        return Makeup()
    lips: tuple[Colour, ...] = ((0.32, 0.04, 0.05), (0.36, 0.13, 0.12), (0.22, 0.03, 0.06), (0.4, 0.16, 0.14))
    lids: tuple[Colour, ...] = ((0.2, 0.1, 0.08), (0.08, 0.06, 0.06), (0.3, 0.18, 0.12), (0.1, 0.1, 0.16))
    return Makeup(
        lips=_within(worn[0] * rng.uniform(0.1, 0.6)),
        lip_colour=lips[rng.integers(len(lips))],
        lids=_within(worn[1] * rng.uniform(0.15, 0.6)),
        lid_colour=lids[rng.integers(len(lids))],
        liner=_within(worn[1] * rng.uniform(0.1, 0.8)),
        blush=_within(worn[2] * rng.uniform(0.1, 0.5)),
    )


def _draw_brows(person: Person) -> Brows:
    rng = generator(person.seed, "brows")
    hair = person.hair
    return Brows(
        thickness=_within(rng.normal(0.34 + 0.26 * person.sex, 0.14)),
        arch=_within(rng.normal(0.15 - 0.3 * person.sex, 0.3), -1, 1),
        density=_within(rng.normal(0.6 - 0.2 * person.aged, 0.12), 0.2, 1.0),
        melanin=_within(hair.melanin + 0.12 * (1 - hair.melanin), 0.1, 1.0),
        grey=_within(0.6 * hair.grey),
        lashes=_within(rng.normal(0.6 - 0.2 * person.sex, 0.12), 0.1, 1.0),
        mascara=_within(person.makeup.liner * 1.2) if person.sex < 0.5 else 0.0,
    )


def _draw_beard(person: Person) -> Beard:
    rng = generator(person.seed, "beard")
    if person.sex < 0.5:
        return Beard()
    styles: dict[BeardStyle, float] = {"none": 0.32, "full": 0.2, "stubble": 0.3, "goatee": 0.1, "moustache": 0.08}
    style: BeardStyle = _pick(styles, _even(person.seed, "beard"))
    lengths = {"none": 0.0003, "stubble": rng.uniform(0.001, 0.004), "full": rng.uniform(0.01, 0.05)}
    hair = person.hair
    return Beard(
        style=style,
        length=float(lengths.get(style, rng.uniform(0.006, 0.015))),
        density=_within(rng.normal(0.7 - 0.3 * person.origin.asian, 0.12), 0.15, 1.0),
        melanin=_within(hair.melanin - 0.05),
        red=_within(hair.red + 0.1),
        grey=_within(1.2 * hair.grey),
    )


def _draw_wardrobe(person: Person) -> Wardrobe:
    rng = generator(person.seed, "wardrobe")
    clothes: tuple[ClothesStyle, ...] = ("tshirt", "shirt", "sweater")
    styles: tuple[GlassesStyle, ...] = ("round", "square", "thin", "sun")
    glasses: GlassesStyle = "none"
    if _even(person.seed, "glasses") < 0.14 + 0.25 * person.aged:
        glasses = styles[int(rng.choice(4, p=(0.3, 0.37, 0.3, 0.03)))]
    colours: tuple[Colour, ...] = (
        (0.03, 0.04, 0.07),
        (0.35, 0.35, 0.34),
        (0.12, 0.13, 0.14),
        (0.06, 0.1, 0.07),
        (0.22, 0.05, 0.05),
        (0.55, 0.53, 0.48),
        (0.05, 0.12, 0.25),
        (0.02, 0.02, 0.02),
        (0.3, 0.2, 0.12),
    )
    return Wardrobe(
        clothes=clothes[rng.integers(3)],
        colour=colours[rng.integers(len(colours))],
        pattern=_within(rng.normal(-0.2, 0.4)),
        glasses=glasses,
        frame=(0.02, 0.02, 0.02) if rng.random() < 0.7 else (0.12, 0.05, 0.02),
    )
