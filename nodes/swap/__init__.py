"""Swap: put the source's face into the plate, as a patch with a matte. `plan_swap` decides, `swap` renders."""

from nodes.swap.swap import SwapPlan, plan_mattes, plan_swap, swap

__all__ = ["SwapPlan", "plan_mattes", "plan_swap", "swap"]
