"""Benchmarks of the pipeline, as `focuskit bench` runs them."""
