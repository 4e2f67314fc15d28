"""Sections of the page that explains one answer, a module each."""
