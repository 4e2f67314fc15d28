"""The page on a forecaster: its sections, pictures and words."""
