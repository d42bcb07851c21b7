"""An answer's text to a typed tree: lexer, parser, and what both know of notation."""
