"""One file a command, each a function of its options; what one imports costs nothing until it is called."""
