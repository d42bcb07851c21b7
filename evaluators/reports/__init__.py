"""Numbers and attempts to tables, pages, and the formats of other programs."""
