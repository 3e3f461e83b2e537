"""The edit out again: results put into the document, their media, and what differs between two edits.

The document is edited as JSON and never built anew, so that whatever we do not know stays as it was written.
"""
