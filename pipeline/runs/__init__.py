"""From an experiment to attempts on the disk."""
