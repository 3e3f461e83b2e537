"""The engine: one process per user that keeps a durable queue of jobs, runs each in a process of its own, and tells who asks.

`store` is what survives, `supervisor` decides what runs, `worker` is one child process as the engine sees it, `child` the same from
within. What a job does is the business of `host_bridge.jobs`; nothing here computes a picture, and nothing heavy is imported.
"""
