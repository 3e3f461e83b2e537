"""What Resolve's own Python loads: the standard library, and of `host_bridge` nothing but `client`, which is copied beside it."""
