"""The editorial timeline: an edit in, its shots found, trained and swapped, and an edit out. OpenTimelineIO reads and writes it.

Nothing here detects, aligns or swaps: that is done by the jobs of `host_bridge.jobs`.
"""
