"""Benchmarks of the guard: what it costs, and what it protects from."""
