"""Programs that run for long, and their short tests."""
