"""Comparison by an algebra system, in worker processes that can be killed."""
