"""Protocols of all venues cut down to what strains the contract, each one module."""
