"""`faceplate performer`: add, list, show, rename, footage, revoke, verify, affected."""

from __future__ import annotations

from host_bridge.cli.commands.performer import add, change, look
from host_bridge.cli.commands.performer.common import performer

__all__ = ["add", "change", "look", "performer"]
