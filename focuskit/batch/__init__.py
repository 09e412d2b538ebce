"""Work over whole libraries: finding shots, running a job on each with dask, recipes."""
