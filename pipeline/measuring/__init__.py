"""Measuring decoders: ways to generate side by side, what each did and what it cost."""
