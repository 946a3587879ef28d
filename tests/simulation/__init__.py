"""A machine that tries to break the promises: see ``campaign``."""
