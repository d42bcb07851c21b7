"""Grading: is this answer the gold answer, and which rule says so."""

from evaluators.answer import extract_answer
from evaluators.cases import BadCase, grade_cases
from evaluators.classes import class_key
from evaluators.grader import GRADER_VERSION, KINDS, explain, grade, same_answer
from evaluators.sandbox import warm_up
from evaluators.verdict import Status, Verdict

__all__ = [
    "GRADER_VERSION",
    "KINDS",
    "BadCase",
    "Status",
    "Verdict",
    "class_key",
    "explain",
    "extract_answer",
    "grade",
    "grade_cases",
    "same_answer",
    "warm_up",
]
