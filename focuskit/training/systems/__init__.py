"""The published systems: what teaches each of the networks."""
