"""Things before a face: hands and what they hold."""
