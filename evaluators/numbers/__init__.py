"""Formulas as numbers: exactly, to many digits, or with an error bound."""
