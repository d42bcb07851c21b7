"""The scripted engine: completions from a table."""
