"""Heads: what turns the last features of a network into a loss, a prediction and its uncertainty."""
