"""Alignment without landmarks: a rigid object (a product, a sign, a prop) is followed by a reference picture of it.

`register` finds it in every frame; `cut_crop` and `put_back` cut it out and lay it back. The parameters stand in
`nodes.align.registration.parameters`.
"""

from nodes.align.registration.crops import at_size, cut_crop, inverse_warp, put_back
from nodes.align.registration.parameters import RegisterParameters, Registrar, Transform
from nodes.align.registration.reference import rectangle
from nodes.align.registration.register import Registration, register

__all__ = [
    "RegisterParameters",
    "Registrar",
    "Registration",
    "Transform",
    "at_size",
    "cut_crop",
    "inverse_warp",
    "put_back",
    "rectangle",
    "register",
]
