"""Tests of the Darwinex venue."""
