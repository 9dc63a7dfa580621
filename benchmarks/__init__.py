"""Benchmarks: one command each, `python -m benchmarks.<name>`; the last line on stdout is one JSON document."""
