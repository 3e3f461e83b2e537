"""Synthetic performers: people who do not exist, rendered by Blender, with the truth beside each frame.

A `Person` is drawn from a seed, an `Acting` says what it does, a shot puts both before a camera. All geometry is computed here with
NumPy and handed to Blender as a `Scene`; `blender/` runs inside Blender, in an environment of its own, and only renders.
"""
