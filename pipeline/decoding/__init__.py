"""Decoding: sequences that share a forward. It knows torch and nothing of the project."""
