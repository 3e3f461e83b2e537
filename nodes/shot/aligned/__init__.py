"""Aligned images as files, for any network and any editor: cut out of footage with masks, a table and exact transforms, and put back.

`images` writes such a folder; `put_back` lays edited images over the frames again.
"""
