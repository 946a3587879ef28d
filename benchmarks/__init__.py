"""Measurements beside others, in one run: ``python -m benchmarks.feeds --help`` and ``benchmarks/books.py``."""
