"""Proposers: who guesses how a text goes on. A guess decides how fast a text is written, never
what is written.
"""
