"""Run the tests of entries of the list against implementations that are broken on purpose.

`python tests/spec_list/breaking.py` prints a JSON object: for each entry pytest's exit status, 1
where a test failed, as it should.
"""

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from test_anchor_list import node_ids

TESTS = Path(__file__).parent.parent

# The replacements run in the globals of what they replace, so their names are those of its module.
# ruff: noqa: F821
BROKEN: dict[str, tuple[str, Callable[..., Any]]] = {
    "A5": ("pipeline.reasoners.step_score:value_of", lambda digits, method: 9.0),
    "A6": (
        "pipeline.reasoners.spec_track:SpecTrack.is_good",
        lambda self, score: score.value > self.settings.score_threshold,
    ),
    "A9": ("pipeline.reasoners.step_ends:without_think_close", lambda step, tokenizer: step),
    "A12": (
        "pipeline.reasoners.track_plans:guided_prompt",
        lambda prompt_set, problem, group, name: task_prompt(prompt_set, problem, ""),
    ),
    "A14": ("pipeline.reasoners.selection:_rank", lambda logprob: 0.0),
    "A15": (
        "pipeline.reasoners.vote_rules:by_standing",
        lambda classes, standing, best, reason: Decision(
            (), classes[-1], classes[-1].tracks[-1], ""
        ),
    ),
    "A16": ("pipeline.reasoners.early_stop:is_decided", lambda ended, left, kind, settings: False),
    "A19": ("pipeline.seeds:choice_order", lambda record_id, seed, n: tuple(range(n))),
    "A21": ("evaluators.statistics.estimators:pass_at_k", lambda attempts, correct, k: 0.0),
}
"""For an entry: a function that the program cannot do without, and a wrong one in its place."""


def main() -> None:
    """Break one thing at a time, run the entry's tests, mend it again."""
    found = {}
    for code, (name, wrong) in BROKEN.items():
        module, _, attribute = name.partition(":")
        function = attrgetter(attribute)(importlib.import_module(module))
        right = function.__code__
        # In place, so that whoever imported the function has the wrong one too.
        function.__code__ = wrong.__code__
        with contextlib.redirect_stdout(io.StringIO()):
            found[code] = int(
                pytest.main(["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *node_ids(code)])
            )
        function.__code__ = right
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
