"""What decoders side by side came to, for readers: tables, rankings, files, a page."""
