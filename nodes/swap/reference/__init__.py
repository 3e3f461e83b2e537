"""The method `reference`: retrieve the source's own frames, warp them through the mesh onto the plate's performance.

`expression` says what two frames have in common, `choice` picks the frames, `gallery` fetches their pixels, `warp` moves
them. No network and no training.
"""

from nodes.swap.reference.plan import ReferenceTrack, plan_reference

__all__ = ["ReferenceTrack", "plan_reference"]
