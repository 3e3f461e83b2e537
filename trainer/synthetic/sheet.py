"""A contact sheet of people, each in a light and place of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nodes.progress import Progress, quiet
from nodes.types import Image8
from trainer.synthetic.people.person import Person
from trainer.synthetic.picture import displayed, eight_bits
from trainer.synthetic.places import Place
from trainer.synthetic.render import Passes, render
from trainer.synthetic.take import Actor, Delivery, Lens, Lighting, Spoken, Take, players, scene_of

_COLUMNS = 6
_PLACES: tuple[Place, ...] = ("studio", "room", "street", "garden", "night")
_FRAME = 30  # of the acting, when the look is reached
_LOOKS = (
    "smile left 0.15",
    "smile 0.2",
    "smile 0.45",
    "press 0.3",
    "raise 0.3",
    "squint 0.25",
    "raise right 0.5",
    "grin 0.4",
)


def portrait(seed: int, size: int, samples: int = 24) -> Take:
    """Return a take of one frame: the person of a seed, who looks at the camera from a little aside."""
    random = np.random.default_rng([seed, 3])
    side = float(random.choice([-1, 1]) * random.uniform(20, 65))
    warm = random.uniform(0.8, 1.0, 2)
    turned = float(random.uniform(-22, 22))
    way, tilt = "right" if turned > 0 else "left", random.choice(["left", "right"])
    look = f"""
        0s    turn {way} {0.6 * abs(turned):.1f}
        0s    tilt {tilt} {random.uniform(0, 5):.1f}
        0s    look {way} {0.4 * abs(turned):.1f}
        0.2s  {random.choice(_LOOKS)}
    """
    return Take(
        name=f"person-{seed}",
        seed=seed,
        frames=1,
        start=_FRAME,
        size=(size, size),
        shutter=0,
        samples=samples,
        cast=(
            Actor(
                person=Person.from_seed(seed),
                acting=Spoken(text=look),
                turned=turned,
            ),
        ),
        lens=Lens(face=0.66, aim=(0.0, -0.02), fstop=11.0),
        lighting=Lighting(
            side=side, height=float(random.uniform(15, 45)), colour=(1.0, float(warm.max()), float(warm.min()))
        ),
        place=_PLACES[seed % 4],
        delivery=Delivery(grain=0),
    )


def people_sheet(seeds: Sequence[int], size: int, folder: Path, progress: Progress = quiet) -> Image8:
    """Render the people of seeds and put them on one sheet, uint8 [H, W, 3], six in a row; their frames are kept in `folder`."""
    tiles = []
    for done, seed in enumerate(seeds):
        progress("people", done, len(seeds))
        take = portrait(seed, size)
        file = render(scene_of(take, players(take)), folder / take.name, workers=1)[0]
        tiles.append(eight_bits(displayed(Passes(file).rgb)))
    progress("people", len(seeds), len(seeds))
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)])
