"""Faceplate in DaVinci Resolve Studio: what the menu scripts do, as those in Lua do it, with the engine spoken to directly.

Resolve's own Python loads this: the standard library and `client` alone.
"""

from .actions import bring, export, monitor, replace, train, undo
from .session import Config
from .text import pattern_of

__all__ = ["Config", "bring", "export", "monitor", "pattern_of", "replace", "train", "undo"]
