"""What a user looks at: figures and the report."""
