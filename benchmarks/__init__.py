"""Measurements and checks that take longer than tests: run as `python -m benchmarks.NAME`."""
