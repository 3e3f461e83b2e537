"""Report: measure a finished shot and say in one page what was found. `write_report` is all that others need.

`gather` reads the shot, `pixels` and `samples` what needs its pictures. `measure`, `expression` and `sharpness` hold the formulas, on arrays.
`figures` judges, `frames` chooses the frames to look at; `plots`, `pictures` and `page` draw, `write` puts it all into files.
"""

from nodes.report.write import SCHEMA, write_report

__all__ = ["SCHEMA", "write_report"]
