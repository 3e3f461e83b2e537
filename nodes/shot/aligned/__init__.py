"""Aligned images as files, for any network and any editor: cut out of footage with masks, a table and exact transforms, and put back.

`write_clip` and `write_pictures` write such a folder; `put_back` lays what was edited in it over the frames again.
"""

from nodes.shot.aligned.images import are_pictures, register_clip, write_clip, write_pictures
from nodes.shot.aligned.put_back import put_back

__all__ = ["are_pictures", "put_back", "register_clip", "write_clip", "write_pictures"]
