"""Honest evaluation: metrics, naive baselines, rolling-origin backtests and significance."""
