"""Trioquotes: typed market data over trio."""
