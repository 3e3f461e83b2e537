"""The template of the subject `hand`: an open right hand, its palm towards the camera.

    python -m nodes.subject_tool.open_hand

rewrites the shipped `hand.json`. The template is drawn from mean lengths of bones, and what is rigid is known from anatomy:
in the few clips of hands at hand fingers stay curled, and an estimate would have taken them for rigid.
"""

from __future__ import annotations

import json

import numpy as np

from nodes.subjects.subject import BUILT_IN
from nodes.types import Float

# Metacarpal and phalanges from the thumb to the little finger, millimetres (Buryanov & Kotiuk 2010, "Proportions of hand
# segments"), the angle of the metacarpal and of the finger from the hand's axis in degrees, towards the thumb, and where on the
# wrist the metacarpal begins.
_FINGERS = (
    ((46.2, 31.6, 21.7), 42, 34, 14),
    ((68.1, 39.8, 22.4, 15.8), 13, 8, 11),
    ((64.6, 44.6, 26.3, 17.4), 1, 0, 4),
    ((58.0, 41.4, 25.7, 17.3), -11, -7, -4),
    ((53.7, 32.7, 18.1, 16.0), -23, -15, -11),
)
# The bones of the palm do not move against each other: wrist, base of the thumb and the knuckles, and how much each counts. The wrist
# and the middle knuckle say where a hand points, also when its back is seen and the others lie the other way round.
_RIGID = {0: 2.0, 1: 0.5, 5: 1.0, 9: 2.0, 13: 1.0, 17: 1.0}
_MARGIN = 1.12  # of the crop around the stretched hand
_CARPUS = 22.0  # from the wrist to where the metacarpals begin


def open_hand() -> Float:
    """Landmarks [21, 3], x right, y down, centred, of root-mean-square radius 1."""
    points = [np.zeros(2)]
    for bones, at_hand, of_finger, across in _FINGERS:
        thumb = len(bones) == 3
        start = np.array([across, -_CARPUS * (0.5 if thumb else 1)])
        place, joints = start, [start] if thumb else []
        for k, length in enumerate(bones):
            angle = np.radians(at_hand if k == 0 else of_finger)
            place = place + length * np.array([np.sin(angle), -np.cos(angle)])
            joints.append(place)
        points += joints
    flat = np.array(points)
    flat -= (flat.min(0) + flat.max(0)) / 2  # the crop holds as much above as below
    shape = np.pad(flat, ((0, 0), (0, 1)))
    return np.asarray(shape / np.sqrt((shape**2).sum(1).mean()), np.float32)


def main() -> None:
    """Rewrite `hand.json`; all but template, weights and size of the crop is kept."""
    path = BUILT_IN / "hand.json"
    document = json.loads(path.read_text())
    template, weights = open_hand(), np.zeros(21)
    weights[list(_RIGID)] = list(_RIGID.values())
    document["template"] = np.round(template, 5).tolist()
    document["weights"] = np.round(weights / weights.sum(), 4).tolist()
    document["half_side"] = round(_MARGIN * float(np.abs(template).max()), 2)
    path.write_text(json.dumps(document, indent=None, separators=(",", ":")).replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
