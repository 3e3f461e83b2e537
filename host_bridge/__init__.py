"""Everything that speaks to a host: today the command line (`cli`), later Blender, Fusion and the timeline."""
