"""The engine: one process per user that keeps a durable queue of jobs, runs each in a process of its own, and reports on them over HTTP.

`api` and `guard` answer HTTP, `supervisor` runs the jobs of the `queue`, each by a `run` in a `process`; `child` and `runner` are the
code inside that process; `monitor` is the page in the browser. Jobs are defined in `host_bridge.jobs`; nothing here computes a picture.
"""
