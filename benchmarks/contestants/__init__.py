"""Clients, each run as a process of its own: ``python -m benchmarks.contestants.NAME TASK``, the task as JSON."""
