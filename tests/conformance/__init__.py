"""Our transports under the Autobahn test suite: ``python -m tests.conformance``."""
