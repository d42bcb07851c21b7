"""The answer of a text, without judging it: what reasoners record and vote on."""

from evaluators.finding.choice import chosen_letter
from evaluators.finding.extract import extract


def extract_answer(text: str, kind: str) -> str | None:
    """The final answer stated in a model's text; None when it states none, or several letters."""
    if kind == "choice":
        chosen = chosen_letter(text)
        return chosen.letter if chosen is not None else None
    found = extract(text)
    return found.text if found is not None else None
