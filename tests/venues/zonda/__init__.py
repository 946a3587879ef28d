"""Tests of the Zonda venue."""
