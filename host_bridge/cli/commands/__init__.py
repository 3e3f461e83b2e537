"""The commands, one a file, each a function of its options; imported only when called."""
