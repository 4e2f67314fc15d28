"""The equations: a reference in plain torch, torch's own operators, and the stream of random masks."""
