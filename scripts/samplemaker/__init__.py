"""What `make_samples.py` is made of: sources, a small camera, file formats, the list of shots."""
