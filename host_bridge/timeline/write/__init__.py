"""Writers of edits: results put into the document, their media, file formats, and differences of two edits.

The document is edited as JSON and never rebuilt, so that everything unknown to Faceplate is preserved.
"""
