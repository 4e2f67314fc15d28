"""Pictures by their subjects; `memorycell.plot` has them all."""
