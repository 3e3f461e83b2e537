"""Report: measure a finished shot and say in one page what was found. `write_report` is all that others need.

`measure` holds the formulas, on arrays; `gather` reads the shot; `figures` judges; `plots` and `page` draw. Who a face belongs to is not
measured here: Faceplate ships no face recogniser.
"""

from nodes.report.write import SCHEMA, write_report

__all__ = ["SCHEMA", "write_report"]
