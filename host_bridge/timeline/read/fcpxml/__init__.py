"""FCPXML 1.0 to 1.14 as OpenTimelineIO, every time of it exact.

`resources` knows formats and media, `retime` speeds, `story` clips, `tracks` lanes. Looks (colour, titles, transforms, filters, volumes) are not read.
"""

from host_bridge.timeline.read.fcpxml.document import read_fcpxml

__all__ = ["read_fcpxml"]
