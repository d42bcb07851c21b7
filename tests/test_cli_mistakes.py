"""Slips of the keyboard are answered with what was probably meant, for the reasoner at hand."""

import pytest

from pipeline.cli import COMMANDS
from speclrm_testing.commands import speclrm

NEAR = [
    ("gade RUN", "No such command 'gade'; did you mean grade?"),
    ("run basline", "did you mean baseline?"),
    ("run spec_asinc", "did you mean spec-async?"),
    ("run baseline --engine transformer", "did you mean transformers?"),
    ("run spec --draft-engine vlm", "did you mean vllm?"),
    ("run parallel --vote majorty", "did you mean majority?"),
    ("run spec --score-method gready", "did you mean greedy?"),
    ("run baseline --sed 3", "No such option '--sed'. (Did you mean one of: '--seed', "),
    ("run parallel --trakcs 3", "'--tracks'"),
    ("run spec --draft-modle m", "'--draft-model'"),
]


@pytest.mark.parametrize(("command", "hint"), NEAR)
def test_what_resembles_a_name_is_answered_with_it(command: str, hint: str) -> None:
    said = speclrm(command)
    assert (said.code, hint in said.sentence) == (2, True), said.err


@pytest.mark.parametrize(
    ("command", "not_there"),
    [
        ("run baseline --trakcs 3", "--tracks"),
        ("run baseline --score-treshold 3", "--score-threshold"),
        ("run baseline --draft-modle m", "--draft-model"),
        ("run spec-methods --track-promts roles", "--track-prompts"),
        ("run --engine", "REASONER --help"),
    ],
)
def test_no_option_is_suggested_that_the_reasoner_does_not_have(
    command: str, not_there: str
) -> None:
    said = speclrm(command)
    assert (said.code, not_there in said.err) == (2, False), said.err


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("run spec --no-such-option", "run spec [OPTIONS]"),
        ("run --sed 3 spec", "run spec [OPTIONS]"),
        ("run spec --seed x", "run spec [OPTIONS]"),
        ("run --no-such-option", "run REASONER [OPTIONS]"),
    ],
)
def test_the_usage_line_names_the_reasoner_where_it_is_known(command: str, usage: str) -> None:
    said = speclrm(command)
    assert (said.code, usage in said.sentence) == (2, True), said.err


SWALLOWED = [
    ("run baseline --prompts --dry-run", "--prompts needs a value, and --dry-run is an option"),
    ("run spec --draft-model --help", "--draft-model needs a value, and --help is an option"),
    ("run baseline --output_dir --seed=3", "--output_dir needs a value, and --seed=3 is an"),
    ("run baseline --model -h", "--model needs a value, and -h is an option"),
    ("leaderboard run --html --format csv", "--html needs a value, and --format is an option"),
    ("show run --problem-id --repeat 1", "--problem-id needs a value"),
    ("vote run --rule --format json", "write --rule=--format if that is the value"),
]


@pytest.mark.parametrize(("command", "sentence"), SWALLOWED)
def test_an_option_is_not_taken_for_the_value_of_the_one_before(
    command: str, sentence: str
) -> None:
    said = speclrm(command)
    assert (said.code, sentence in said.sentence) == (2, True), said.err


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("run baseline --prompts=--dry-run", "--prompts --dry-run: no folder"),
        ("grade --gold -1 --answer -1", "correct"),
        ("grade --gold 1 --answer=--gold=1", "verdict"),
        ("show -- --repeat --problem-id", "Missing option '--problem-id'"),
    ],
)
def test_values_that_begin_with_a_dash_are_taken_where_nothing_else_is_meant(
    command: str, sentence: str
) -> None:
    said = speclrm(command)
    assert sentence in said.out + said.sentence, said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_there_is_needs_no_hint(name: str) -> None:
    assert speclrm(f"{name} --help").code == 0
