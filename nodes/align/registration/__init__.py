"""Alignment without landmarks: a rigid object (a product, a sign, a prop) is tracked by a reference picture of it.

`register.register` finds it in every frame; `register.inverse_warp` warps a crop back.
"""
