"""The process that runs a job, as seen from within: how it is told, how it tells, and that it never stays behind."""
