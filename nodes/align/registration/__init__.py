"""Alignment without landmarks: a rigid object (a product, a sign, a prop) is followed by a reference picture of it.

`register` finds it in every frame; `cut_crop` and `put_back` cut it out and lay it back. Its parameters are
`nodes.definitions.RegisterParameters`.
"""

from nodes.align.registration.features import rectangle
from nodes.align.registration.register import Registration, at_size, cut_crop, inverse_warp, put_back, register

__all__ = ["Registration", "at_size", "cut_crop", "inverse_warp", "put_back", "rectangle", "register"]
