"""Physics and filters on plain arrays; knows no files and no command line."""
