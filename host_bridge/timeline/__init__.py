"""The editorial timeline: read an edit, find, train and swap its shots, and write an edit. It builds on OpenTimelineIO.

The jobs of `host_bridge.jobs` wrap what is here, and nothing here imports them.
"""
