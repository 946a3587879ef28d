"""Recordings: the format, recorders, replays, and what crashes leave."""
