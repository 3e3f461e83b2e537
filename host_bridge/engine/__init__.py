"""The engine: one process per user that keeps a durable queue of jobs, runs each in a process of its own, and tells who asks.

`queue` is what survives and decides what runs, `child` the process of a job as seen from within, `http` what is told to whom, `monitor`
the page in the browser. What a job does is the business of `host_bridge.jobs`; nothing here computes a picture.
"""
