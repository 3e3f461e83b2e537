"""A folder that is watched: what is dropped into it becomes a job of the engine, and the result lands beside it.

For hosts that cannot speak to the engine, such as the free edition of Resolve: `found` says which files are meant, `asked` what they ask for,
`status` how it is told, `posts` what comes through Resolve's preferences, `watcher` does it all. It computes no picture.
"""
