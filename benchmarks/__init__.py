"""piproxy beside its peers: the same work for each, in one run. ``python -m benchmarks --help``."""
