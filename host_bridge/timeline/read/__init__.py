"""Readers of edits: from bytes to a checked document, one OpenTimelineIO timeline with exact times and notes, and its media.

Nothing here knows what a shot is.
"""
