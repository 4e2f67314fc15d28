"""Symbols: sequences of names."""
