"""Datasets and metrics that judge detectors; imported by nothing but the command line."""
