"""Tests of the Upbit venue."""
