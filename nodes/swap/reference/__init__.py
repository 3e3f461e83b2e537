"""The method `reference`: retrieve the source's own frames, warp them through the mesh onto the plate's performance.

`expression` compares two people's frames, `choice` picks the frames, `retarget` makes the new face's shape, `gallery` fetches pixels, `warp`
moves them, `render` mixes them. No training.
"""

from nodes.swap.reference.plan import plan_reference
from nodes.swap.reference.render import ReferenceTrack

__all__ = ["ReferenceTrack", "plan_reference"]
