"""The contract of a network, heads, decoding, and the networks of the tasks."""
