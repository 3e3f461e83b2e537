"""What was made of an edit, for the legal department: from a run's documents, or from an exported edit, with the project's records.

Nothing here changes any of them.
"""

from host_bridge.timeline.report.gather import Wanted, gather
from host_bridge.timeline.report.page import page

__all__ = ["Wanted", "gather", "page"]
