"""Decoding: sequences that share a forward. It knows torch and nothing of the project."""

from pipeline.decoding.iterative import iterative_generate

__all__ = ["iterative_generate"]
