"""Generation: prompts of the user's own, each answered once, in one file."""
