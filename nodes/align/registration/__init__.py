"""Alignment without landmarks: a rigid object (a product, a sign, a prop) is followed by a reference picture of it.

`register.register` finds it in every frame; `register.inverse_warp` lays a crop back.
"""
