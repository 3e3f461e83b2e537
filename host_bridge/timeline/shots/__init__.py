"""The shots of an edit: which frames of which media each shows, and who is replaced by whom in it.

Nothing here reads documents or opens pictures; what a media file's header says is in `read.header`.
"""

from host_bridge.timeline.shots.cast import Cast, read_cast
from host_bridge.timeline.shots.find import find_shots, sequence_rate
from host_bridge.timeline.shots.shot import Casting, Media, Shot

__all__ = ["Cast", "Casting", "Media", "Shot", "find_shots", "read_cast", "sequence_rate"]
