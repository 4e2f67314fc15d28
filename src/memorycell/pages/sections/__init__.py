"""Sections and pages of the report, a module each."""
