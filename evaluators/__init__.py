"""Grading: is this answer the gold answer, and which rule says so."""

from evaluators.answer import extract_answer
from evaluators.grader import GRADER_VERSION, KINDS, explain, grade, same_answer
from evaluators.verdict import Status, Verdict

__all__ = ["GRADER_VERSION", "KINDS", "Status", "Verdict", "explain", "extract_answer", "grade", "same_answer"]
