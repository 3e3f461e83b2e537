"""The set of takes that benchmarks use: 8 people, 12 shots, some of them cut together, and swaps whose true result is rendered too."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from nodes.cache import cache_folder
from nodes.errors import UsageError
from nodes.progress import Progress, quiet
from trainer.synthetic.make import deliver, make_take, staged
from trainer.synthetic.people.person import Hair, Origin, Person
from trainer.synthetic.props.things import Prop
from trainer.synthetic.take import Actor, Delivery, Improvised, Lens, Lighting, Spoken, Take


class Swap(NamedTuple):
    """A face to be replaced: the names of the source's and the plate's take."""

    source: str
    plate: str

    @property
    def folder(self) -> str:
        """Name the folder of the plate with the source's person in it."""
        return f"{self.plate}-as-{self.source}"


def people() -> Mapping[str, Person]:
    """Return the eight people of the set by name."""
    young, old = {"age": 27.0}, {"age": 68.0}
    return {
        "ada": Person.from_seed(11, sex=0.0, origin=Origin(caucasian=1.0), **young),
        "bo": Person.from_seed(12, sex=1.0, origin=Origin(caucasian=0.1, asian=0.9), age=34.0),
        "chidi": Person.from_seed(13, sex=1.0, origin=Origin(caucasian=0.1, african=0.9), age=41.0),
        "dilek": Person.from_seed(14, sex=0.0, origin=Origin(caucasian=0.6, asian=0.4), age=52.0),
        "emil": Person.from_seed(15, sex=1.0, origin=Origin(caucasian=1.0), **old),
        "femi": Person.from_seed(16, sex=0.0, origin=Origin(caucasian=0.0, african=1.0), **young),
        "gus": Person.from_seed(
            17, sex=1.0, origin=Origin(caucasian=0.8, african=0.2), age=30.0, hair=Hair(cut="short")
        ),
        "hana": Person.from_seed(18, sex=0.0, origin=Origin(caucasian=0.0, asian=1.0), age=23.0),
    }


# The clips of `faceplate demo --offline`.
_SOURCE = """
0s    idle 5
0.1s  smile 0.9 over 0.3s
0.4s  turn left 14 over 0.5s
0.9s  look right 15
1s    relax over 0.3s
1.3s  turn right 12 over 0.7s
1.4s  surprise 0.9 for 0.4s
2.3s  turn ahead over 0.4s
2.3s  say "how are you today" for 1s
3.3s  anger 0.7 for 0.3s
"""
_PLATE = """
0s    idle 8
0.2s  say "hello there" for 0.9s
0.4s  turn right 10 over 0.6s
1.1s  smile 0.8 over 0.3s
1.4s  look left 18
1.6s  wink left
1.9s  look ahead
2s    surprise 0.8 for 0.4s
2s    turn left 8 over 0.6s
"""


def demo_takes() -> tuple[Take, Take]:
    """Return the takes of the offline demo: the source's and the plate's."""
    rate, delivery = Fraction(25), Delivery(crf=19, grain=0.25)
    source = Take(
        name="source", seed=1, frames=96, rate=rate, place="studio", delivery=delivery, lens=Lens(face=0.72),
        cast=(Actor(person=Person.from_seed(12), acting=Spoken(text=_SOURCE)),),
    )  # fmt: skip
    plate = Take(
        name="plate", seed=2, frames=72, rate=rate, place="room", delivery=delivery,
        lens=Lens(face=0.72, move="handheld", amount=0.4), lighting=Lighting(side=-45, power=22),
        cast=(Actor(person=Person.from_seed(31), acting=Spoken(text=_PLATE)),),
    )  # fmt: skip
    return source, plate


SWAPS = (Swap("calm", "speech"), Swap("calm", "laugh"), Swap("speech", "glances"), Swap("glances", "side"))
CUTS: Mapping[str, tuple[str, ...]] = {"cut": ("calm", "speech")}


def takes(frames: int = 48) -> tuple[Take, ...]:
    """Return the twelve takes; `calm` and `speech`, from which faces are taken, have twice the frames."""
    cast = people()
    tight, wide = Lens(), Lens(face=0.3, focal=50)
    acting = """
    0s idle 3
    0.1s smile 0.7 over 0.3s
    0.9s look left 15
    1.2s wink left
    1.6s say "hello" for 0.6s
    """

    def one(
        name: str,
        *who: str,
        moods: tuple[str, ...] = (),
        text: str = "",
        seed: int = 0,
        front: tuple[Prop, ...] = (),
        **fields: Any,
    ) -> Take:
        told = Spoken(text=text) if text else Improvised(seed=seed, moods=moods)
        spread = 0.5 * (len(who) - 1)
        members = tuple(
            Actor(person=cast[person], acting=told, place=(0.5 * k - spread / 2, 0.05 * k), props=front)
            for k, person in enumerate(who)
        )
        return Take(name=name, seed=seed, cast=members, samples=10, **{"frames": frames, "lens": tight, **fields})

    return (
        one("calm", "ada", moods=("calm", "talk", "joy", "skew"), seed=1, frames=2 * frames, place="studio"),
        one("speech", "bo", moods=("talk", "joy", "surprise"), seed=2, frames=2 * frames, place="room", rate=Fraction(25)),
        one("laugh", "dilek", moods=("laugh",), seed=3, place="garden", lens=Lens(move="handheld", fstop=2.8)),
        one("glances", "gus", text=acting, seed=4, place="street", lighting=Lighting(side=-40, power=45)),
        one("side", "femi", moods=("anger", "sadness"), seed=5, place="studio", lighting=Lighting(side=80, fill=0.03, around=0.2)),
        one("hand", "chidi", moods=("talk",), seed=6, place="room", front=(Prop(kind="hand", region="mouth", start=0.4, end=1.4),)),
        one("hair", "hana", moods=("joy", "talk"), seed=7, place="garden", lens=Lens(around=25, move="orbit")),
        one("old", "emil", moods=("extreme", "disgust"), seed=8, place="room", rate=Fraction(30000, 1001)),
        one("two", "ada", "bo", moods=("talk", "joy"), seed=9, place="room", size=(640, 360), lens=wide),
        one("small", "chidi", moods=("talk",), seed=10, size=(640, 360), lens=Lens(face=0.2, focal=35, move="pan"), place="street",
            delivery=Delivery(crf=30, grain=1.0)),
        one("night", "gus", moods=("fear", "surprise"), seed=11, place="night", rate=Fraction(60),
            lighting=Lighting(colour=(0.3, 0.5, 1.0), rim_colour=(1.0, 0.3, 0.1), fill=0.05, around=0.5, moving="sweep")),
        one("film", "hana", moods=("calm", "sadness"), seed=12, size=(1920, 1080), frames=max(frames // 4, 1), place="room",
            lens=Lens(face=0.6, fstop=2.0), delivery=Delivery(kind="exr")),
    )  # fmt: skip


def make_set(
    folder: Path | None = None, *, frames: int = 48, only: tuple[str, ...] = (), progress: Progress = quiet
) -> Path:
    """Make the set, or the takes that are named with the swaps between them, and return its folder; by default in the cache.

    Each take has a folder, as `make_take` writes it; so has each true result, `PLATE-as-SOURCE`, and each cut. Stopped, the same
    call goes on. Raises UsageError for a take that the set does not have, and other FaceplateErrors.
    """
    folder = folder or cache_folder() / "synthetic" / f"set-{frames}"
    named = {take.name: take for take in takes(frames)}
    if unknown := [name for name in only if name not in named]:
        raise UsageError(f"the set has no take '{unknown[0]}'", remedy=f"Choose of: {', '.join(named)}")
    chosen = {name: take for name, take in named.items() if not only or name in only}
    for take in chosen.values():
        make_take(take, folder / take.name, progress=staged(progress, take.name))
    for swap in SWAPS:
        if swap.source in chosen and swap.plate in chosen:
            true = chosen[swap.plate].recast(*(c.person for c in chosen[swap.source].cast))
            make_take(true, folder / swap.folder, progress=staged(progress, swap.folder))
    for name, parts in CUTS.items():
        if all(part in chosen for part in parts):
            pictures = [
                (chosen[part], folder / part / "frames" / f"{n:04d}.exr", n)
                for part in parts
                for n in range(chosen[part].frames)
            ]
            deliver(pictures, folder / name / "plate.mp4")
    return folder
