"""The editorial timeline: an edit in, its shots found, trained and swapped, and an edit out. OpenTimelineIO reads and writes it.

The jobs of `host_bridge.jobs` wrap what is here, and nothing here imports them.
"""
