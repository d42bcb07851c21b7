"""Where a text states its answer."""
