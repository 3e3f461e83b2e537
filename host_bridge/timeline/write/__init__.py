"""The edit out again: results put into the document, their media, its formats, and the differences of two edits.

The document is edited as JSON and never built anew, so that all that Faceplate does not know stays as it was written.
"""
