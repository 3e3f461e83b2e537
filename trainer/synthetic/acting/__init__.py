"""Acting: 52 curves and a head pose over time, from a text, from measured curves, or at random."""
