"""The networks of the published systems, one module each."""
