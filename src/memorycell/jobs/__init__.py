"""Tasks: one estimator for each job that people ask for."""
