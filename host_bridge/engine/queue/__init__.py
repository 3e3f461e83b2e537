"""The queue: its durable state, what runs when and where, and what its processes tell. The engine's side of every job."""
