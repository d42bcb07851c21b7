"""Grading: is this answer the gold answer, and which rule says so."""

from evaluators.answer import extract_answer
from evaluators.cases import BadCase, grade_cases
from evaluators.comparing.classes import class_key
from evaluators.comparing.symbolic.sandbox import NoWorker, warm_up
from evaluators.grader import GRADER_VERSION, KINDS, explain, grade, same_answer
from evaluators.verdict import Status, Verdict, is_at_a_limit

__all__ = [
    "GRADER_VERSION",
    "KINDS",
    "BadCase",
    "NoWorker",
    "Status",
    "Verdict",
    "class_key",
    "explain",
    "extract_answer",
    "grade",
    "grade_cases",
    "is_at_a_limit",
    "same_answer",
    "warm_up",
]
