"""Benchmarks of Eyewall against its peers; `python -m bench --help` says how to run them."""
