"""Swap: put the source's face into the plate, as a patch with a matte. `swap` plans, and the returned plan paints."""

from nodes.swap.swap import PatchStream, SwapPlan, in_plate, swap

__all__ = ["PatchStream", "SwapPlan", "in_plate", "swap"]
