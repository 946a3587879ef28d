"""Tests of the Coinbase venue."""
