"""Report: measure a finished shot and write in one page how good it is. `write.write_report` is all that others need.

`gather` reads the shot, `pixels` and `samples` what needs its pictures, `measure` holds the formulas, on arrays. `figures` judges, `frames`
chooses the frames to look at; `plots` and `page` draw, `document` is report.json.
"""
