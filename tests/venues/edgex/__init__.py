"""Tests of the edgeX venue."""
