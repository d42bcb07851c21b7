"""Verdict rows to numbers, each with how far it can be trusted."""
