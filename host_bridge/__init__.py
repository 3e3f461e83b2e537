"""Everything that speaks to a host: today the command line (`cli`) and the engine, both of which do `jobs`; later Blender, Fusion and the timeline."""
