"""Two answers: equal, different, or not to be decided."""
