"""A document in: read safely, whatever wrote it, with exact times, and with the places where its media may be.

Nothing here knows what a shot is.
"""

from host_bridge.timeline.read.edit import Edit, read_edit
from host_bridge.timeline.read.places import MediaRoot, Places, media_root

__all__ = ["Edit", "MediaRoot", "Places", "media_root", "read_edit"]
