"""The command `memorycell`. Its option modules load neither torch, numpy, pandas nor scikit-learn."""
