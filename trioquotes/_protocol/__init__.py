"""The sans-I/O core: values in, values out; no trio, no clock, no randomness, no logging."""
