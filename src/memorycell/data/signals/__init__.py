"""Numbers step by step."""
