"""What a run of an edit would do, before it does it: shots, cast, faces at a quick look, what is there already, and how long it takes.

Nothing here changes the run's folder.
"""

from host_bridge.timeline.plan.make import Plan, PlannedShot, make_plan
from host_bridge.timeline.plan.page import page

__all__ = ["Plan", "PlannedShot", "make_plan", "page"]
