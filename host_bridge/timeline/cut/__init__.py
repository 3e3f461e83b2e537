"""A cut as a host's sequencer holds it, a document of its strips, to OpenTimelineIO and back. The host itself only writes and reads that document."""
