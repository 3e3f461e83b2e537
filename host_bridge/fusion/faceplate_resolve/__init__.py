"""Faceplate in DaVinci Resolve Studio: what the menu scripts do, as those in Lua do it, with the engine spoken to directly.

Resolve's own Python loads this: the standard library, and the engine's client and session, which are installed beside it.
"""

from .menu import bring, export, monitor, replace, train, undo
from .timeline import Config, pattern_of

__all__ = ["Config", "bring", "export", "monitor", "pattern_of", "replace", "train", "undo"]
