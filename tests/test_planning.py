"""A plan's figures are those of studies drawn attempt by attempt, and of the test that is used."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from graded_runs import write_run

from evaluators.statistics.margin import ONE_SIDED_LEVEL, not_worse_p
from evaluators.statistics.metrics import graded_run
from evaluators.statistics.planning import (
    Assumptions,
    NotPlannable,
    between_problems,
    change_law,
    correlation_over_problems,
    error_split,
    not_worse_power,
    study_plan,
)
from evaluators.statistics.power import power
from evaluators.statistics.sign_flips import sign_flip_p
from pipeline.cli import group
from pipeline.errors import UserMistake

ASSUMED = [
    Assumptions(0.8, 0.05, 0.6, 0.9),
    Assumptions(0.3, -0.08, 0.2, 0.5),
    Assumptions(0.95, 0.03, 0.95, 1.0),
]


def drawn_changes(chance, assumed, problems, repeats):
    """One study, drawn as the model is told: accuracies, then attempts."""
    concentration = 1 / assumed.between - 1
    shape = (assumed.accuracy * concentration, (1 - assumed.accuracy) * concentration)
    first = chance.beta(*shape, problems)
    own = chance.random(problems) >= assumed.correlation
    second = np.where(own, chance.beta(*shape, problems), first)
    room = 1 - assumed.accuracy if assumed.difference > 0 else assumed.accuracy
    struck = chance.random(problems) < abs(assumed.difference) / room
    second = np.where(struck, float(assumed.difference > 0), second)
    return chance.binomial(repeats, second) - chance.binomial(repeats, first)


@pytest.mark.parametrize("assumed", ASSUMED)
@pytest.mark.parametrize("repeats", [1, 3, 16])
def test_the_law_has_the_difference_and_the_error_of_drawn_problems(assumed, repeats):
    law = change_law(assumed, repeats)
    changes, chances = np.array(law.changes), np.array(law.chances)
    assert chances.sum() == pytest.approx(1)
    assert changes @ chances / repeats == pytest.approx(assumed.difference)
    drawn = drawn_changes(np.random.default_rng(1), assumed, 40_000, repeats)
    error = error_split(assumed, 100, repeats).error
    variance = changes**2 @ chances / repeats**2 - assumed.difference**2
    assert np.sqrt(variance / 100) == pytest.approx(error)
    assert drawn.std() / repeats / 10 == pytest.approx(error, rel=0.03)
    for change, share in zip(changes, chances, strict=True):
        assert (drawn == change).mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("assumed", ASSUMED)
@pytest.mark.parametrize(("problems", "repeats"), [(60, 1), (150, 4)])
def test_power_is_the_share_of_drawn_studies_that_the_test_finds(assumed, problems, repeats):
    chance = np.random.default_rng(2)
    studies = [drawn_changes(chance, assumed, problems, repeats).tolist() for _ in range(500)]
    found = np.mean([sign_flip_p(study) <= 0.05 for study in studies])
    assert power(change_law(assumed, repeats), problems) == pytest.approx(found, abs=0.07)


def test_power_of_a_margin_is_the_share_of_drawn_studies_that_show_it():
    assumed, chance = Assumptions(0.8, 0.0, 0.6, 0.9), np.random.default_rng(3)
    studies = [drawn_changes(chance, assumed, 300, 4) / 4 for _ in range(500)]
    shown = np.mean([not_worse_p(study.tolist(), 0.03) <= ONE_SIDED_LEVEL for study in studies])
    assert not_worse_power(change_law(assumed, 4), 300, 4, 0.03) == pytest.approx(shown, abs=0.07)


def test_what_is_needed_has_the_power_that_was_asked_for():
    plan = study_plan(ASSUMED[0], None, [30], [1, 4])
    for one in plan.needed:
        law = change_law(plan.assumed, one.repeats)
        assert power(law, one.problems) == pytest.approx(0.8, abs=0.02)
        assert power(law, one.problems * 3 // 4) < 0.8
    assert plan.needed[1].problems < plan.needed[0].problems


def test_more_repeats_remove_the_samples_share_of_the_error_only():
    once, often = (error_split(ASSUMED[0], 100, repeats) for repeats in (1, 1_000_000))
    assert often.samples == pytest.approx(0, abs=1e-4)
    assert often.error**2 == pytest.approx(once.error**2 * (1 - once.samples), rel=1e-4)


def test_what_no_number_of_problems_finds_is_said():
    [needed] = study_plan(Assumptions(0.5, 1e-5, 0.0, 1.0), None, [30], [1]).needed
    assert (needed.problems, needed.split) == (None, None)


@pytest.mark.parametrize(
    ("numbers", "margin", "complaint"),
    [
        ((1.0, 0.0, 0.5, 0.5), 0.02, "accuracy must be above 0 and below 1"),
        ((0.99, 0.02, 0.5, 0.5), None, "no room for a difference of \\+2 points"),
        ((0.5, 0.02, 1.5, 0.5), None, "are 0 to 1"),
        ((0.5, 0.0, 0.5, 0.5), None, "plan for a --margin"),
        ((0.5, -0.03, 0.5, 0.5), 0.02, "worse by 3 points cannot be shown"),
        ((float("nan"), 0.02, 0.5, 0.5), None, "accuracy must be above"),
        ((0.5, float("nan"), 0.5, 0.5), None, "no room"),
    ],
)
def test_assumptions_that_contradict_each_other_are_refused(numbers, margin, complaint):
    with pytest.raises(NotPlannable, match=complaint):
        study_plan(Assumptions(*numbers), margin, [30], [1])


@pytest.fixture
def pair(tmp_path):
    """Two runs of 400 problems and 8 repeats; accuracies from Beta(2, 1), seven in ten shared."""
    chance = np.random.default_rng(4)
    first = chance.beta(2, 1, 400)
    second = np.where(chance.random(400) < 0.3, chance.beta(2, 1, 400), first)
    paths = []
    for name, skill in (("first", first), ("second", second)):
        right = {str(n): (chance.random(8) < p).tolist() for n, p in enumerate(skill)}
        paths.append(str(write_run(tmp_path / name, right)))
    return paths


def test_two_runs_tell_how_problems_spread_and_go_together(pair):
    first, second = (graded_run(Path(path)) for path in pair)
    shares = [between_problems(run) for run in (first, second)]
    assert shares == pytest.approx([0.25, 0.25], abs=0.05)  # Beta(2, 1): 1 / (2 + 1 + 1)
    assert correlation_over_problems(first, second, shares) == pytest.approx(0.7, abs=0.1)


def planned(*arguments):
    return CliRunner().invoke(group, ["plan", *arguments, "--problems", "50"])


def test_the_command_plans_from_runs(pair):
    result = planned(*pair, "--difference", "5", "--repeats", "2", "--json")
    plan = json.loads(result.output)
    assert plan["assumed"]["accuracy"] == pytest.approx(2 / 3, abs=0.03)
    assert plan["assumed"]["correlation"] == pytest.approx(0.7, abs=0.1)
    assert plan["needed"][0]["problems"] > 50
    assert [(one["problems"], one["repeats"]) for one in plan["powers"]] == [(50, 2), (400, 2)]
    assert plan["powers"][0]["power"] < plan["powers"][1]["power"]


def test_an_option_goes_before_what_a_run_tells(pair):
    given = ("--accuracy", "0.5", "--between", "0.4", "--correlation", "1", "--repeats", "1")
    plan = json.loads(planned(pair[0], "--difference", "5", *given, "--json").output)
    assumed = plan["assumed"]
    assert (assumed["accuracy"], assumed["between"], assumed["correlation"]) == (0.5, 0.4, 1)


def test_the_command_says_what_it_assumes_and_what_is_needed():
    result = planned("--accuracy", "0.8", "--margin", "5", "--repeats", "1,2")
    text = " ".join(result.output.split())
    assert "accuracy 80.0%, true difference +0 points, 60% of an attempt's variance" in text
    assert "to show: not worse by more than 5 points" in text
    assert "k=1" in text
    assert "k=2" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "--difference 2"),
        (["--difference", "2"], "--accuracy"),
        (["--accuracy", "0.999", "--difference", "2"], "no room"),
        (["nowhere", "--difference", "2"], "is not a run directory"),
        (["a", "b", "c", "--difference", "2"], "at most two runs"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_what_to_do(arguments, complaint):
    result = planned(*arguments)
    assert isinstance(result.exception, UserMistake)
    assert complaint in str(result.exception)


@pytest.mark.parametrize("numbers", ["", "0", "1,x", "1,2,3,4,5,6,7", "65", "9" * 30, "-1", "1.5"])
def test_repeats_are_numbers_between_commas(numbers):
    result = planned("--accuracy", "0.8", "--difference", "2", f"--repeats={numbers}")
    assert result.exit_code == 2
    assert "commas between" in result.output


def test_a_run_of_one_repeat_does_not_tell_problems_from_samples(tmp_path):
    run = str(write_run(tmp_path / "run", {"a": [True], "b": [False]}))
    result = planned(run, "--difference", "5")
    assert "one repeat" in str(result.exception)
    assert "--between" in str(result.exception)
    assert planned(run, "--difference", "5", "--between", "0.5", "--repeats", "1").exit_code == 0


def test_a_run_does_not_tell_how_it_differs_from_itself(pair):
    result = planned(pair[0], pair[0] + "/", "--difference", "5")
    assert isinstance(result.exception, UserMistake)
    assert "is named twice" in str(result.exception)
