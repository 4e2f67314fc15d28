"""Insight: what a trained network attends to, and why it says what it says."""
