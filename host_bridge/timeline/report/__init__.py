"""What was made of an edit, for the legal department: read from a run's documents and the project's records, and changed by nothing here."""

from host_bridge.timeline.report.gather import gather
from host_bridge.timeline.report.page import page

__all__ = ["gather", "page"]
