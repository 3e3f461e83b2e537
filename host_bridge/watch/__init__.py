"""Watched folder for hosts that cannot speak to the engine, such as the free edition of Resolve.

`hot_folder` turns dropped files into jobs, `fusion_prefs` does the same for posts in Resolve's preferences, `status` reports their progress.
"""
