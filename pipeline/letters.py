"""The letters that name a problem's choices and the methods of a pool, in order from A."""

from string import ascii_uppercase

LETTERS = ascii_uppercase
