"""Edits in: bytes, a checked document, then one OpenTimelineIO timeline with exact times and notes, and the places of its media.

Nothing here knows what a shot is.
"""
