"""Training of the network that tells a face from what is in front of it: examples, network, training and export."""
