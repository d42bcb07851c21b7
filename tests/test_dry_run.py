"""What `--dry-run` says of a run is true of it: its tracks, and the tokens it takes at most."""

import re
from pathlib import Path

import pytest

from pipeline import records
from pipeline.ledger import Use
from pipeline.runs.directory import read_manifest
from speclrm_testing.scripted_runs import Place

METHODS_EARLY = (
    "4 an attempt by methods (--selection model, of 12); vote majority, ended early by --fast 1"
)
PLANS = [
    ("baseline", "", None),
    ("parallel", "", "3 an attempt; vote majority"),
    (
        "parallel",
        "--use_role_prompts --vote longest",
        "3 an attempt by roles (direct, insightful, systematic); vote longest",
    ),
    (
        "parallel",
        "--use-method-prompts --tracks 4 --fast 1",
        METHODS_EARLY,
    ),
    ("spec", "", "1 an attempt"),
    (
        "spec",
        "--use_role_prompts --tracks 2",
        "2 an attempt by roles (direct, insightful); vote majority",
    ),
    ("spec-async", "--tracks 2 --rewrite-ahead", "2 an attempt; vote majority"),
    (
        "spec-methods",
        "--selection random --method-pool 6",
        "3 an attempt by methods (--selection random, of 6); vote majority",
    ),
]
CASES = [(*plan, budget) for plan in PLANS for budget in (7, 20, 5000)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Problems and scripts whose drafts are all rejected once they state an answer."""
    return Place.made(tmp_path)


def planned(place: Place, reasoner: str, options: str) -> dict[str, str]:
    """The lines of a plan by their labels."""
    said = place.speclrm(reasoner, f"{options} --dry-run")
    assert said.code == 0, said.err
    return dict(re.split(r"  +", line, maxsplit=1) for line in said.out.splitlines())


def number(text: str) -> int:
    """The number in a line of a plan."""
    return int(re.sub(r"[^0-9]", "", text))


def booked(attempts: list[records.Attempt], *uses: Use) -> int:
    """The tokens that attempts generated, of these uses."""
    return sum(
        used.generated or 0
        for attempt in attempts
        for by_use in attempt.usage.values()
        for use, used in by_use.items()
        if Use(use) in uses
    )


@pytest.mark.parametrize(("reasoner", "options", "tracks", "budget"), CASES)
def test_the_plan_names_the_tracks_and_no_run_takes_more_than_it_says(
    place: Place, reasoner: str, options: str, tracks: str | None, budget: int
) -> None:
    options = f"{options} --token-budget {budget}"
    plan = planned(place, reasoner, options)
    assert plan.get("tracks") == tracks
    assert place.speclrm(reasoner, options).code == 0
    attempts = place.attempts(reasoner)
    accepted = sum(
        step.tokens or 0 for one in attempts for track in one.tracks for step in track.steps
    )
    assert accepted <= number(plan["new tokens"])
    on_top = booked(attempts, Use.VERIFY, Use.DRAFT_DROPPED, Use.REWRITE, Use.SELECTION)
    assert "on top" in plan or not on_top
    if "on top" not in plan:
        assert booked(attempts, *Use) <= number(plan["new tokens"])


@pytest.mark.parametrize(
    ("reasoner", "options", "times"),
    [("parallel", "", 3), ("parallel", "--tracks 5", 5), ("spec", "--tracks 2", 2)],
)
def test_every_track_is_opened_and_may_spend_the_budget(
    place: Place, reasoner: str, options: str, times: int
) -> None:
    alone, tracks = (
        planned(place, name, f"{more} --token-budget 60 --repeats 2")
        for name, more in (("baseline", ""), (reasoner, options))
    )
    for line in ("prompt tokens", "new tokens"):
        assert number(tracks[line]) == times * number(alone[line])
    assert number(alone["new tokens"]) == 6 * 2 * 60


def test_the_guidance_of_roles_is_counted_as_the_tracks_send_it(place: Place) -> None:
    counted = number(planned(place, "parallel", "--use-role-prompts")["prompt tokens"])
    assert place.speclrm("parallel", "--use-role-prompts").code == 0
    sent = sum(
        used.prompt_new + (used.prompt_cached or 0)
        for one in place.attempts("parallel")
        for used in one.usage["target"].values()
    )
    assert counted == sent


def test_a_script_bounds_the_tokens_by_its_context(place: Place) -> None:
    place.script("target", context=10_000)
    free = planned(place, "baseline", "--token-budget 5000")
    longest = number(free["prompt tokens"]) // 6
    place.script("target", context=longest + 10)
    assert number(planned(place, "baseline", "--token-budget 5000")["new tokens"]) == 60


def test_a_named_model_of_a_script_is_looked_for_nowhere(place: Place) -> None:
    assert planned(place, "baseline", "--model tgt")["target"] == "tgt through scripted"


@pytest.mark.parametrize(
    ("options", "again", "budgets"),
    [("", "", 0), ("--retry-errors", "1", 1), ("--force", "6", 6)],
)
def test_the_plan_counts_what_is_made_again(
    place: Place, options: str, again: str, budgets: int
) -> None:
    place.script("target", faults={"fail": [3]})
    assert place.speclrm("baseline", "--concurrency 1").code == 1
    plan = planned(place, "baseline", f"{options} --token-budget 8192")
    said = f", {again} of them to be redone" if again else ""
    assert plan["attempts"] == f"6: 6 problems x 1 repeat, 6 already recorded{said}"
    assert number(plan["new tokens"]) == budgets * 8192


@pytest.mark.parametrize("lost", [True, False])
def test_a_folder_that_the_run_would_refuse_is_refused_in_the_same_words(
    place: Place, lost: bool
) -> None:
    assert place.speclrm("baseline").code == 0
    if lost:
        (place.run("baseline") / "run.json").unlink()
    options = "" if lost else "--token-budget 77"
    plan, run = (place.speclrm("baseline", f"{options} {more}") for more in ("--dry-run", ""))
    assert (plan.code, run.code, plan.out) == (2, 2, "")
    assert run.err.endswith(plan.err)
    assert ("holds 6 attempts and no run.json" if lost else "other settings") in plan.err


@pytest.mark.parametrize(("named", "model"), [("", "scripted"), (" --model m", "m")])
def test_what_a_script_says_is_not_recorded_as_the_bundled_models(
    place: Place, named: str, model: str
) -> None:
    assert place.speclrm("baseline", named).code == 0
    assert {one["model"] for one in manifest_models(place.run("baseline"))} == {model}


def manifest_models(run: Path) -> list[dict[str, str]]:
    """The target as asked for and as loaded, from a run's manifest."""
    manifest = read_manifest(run)
    return [manifest["identity"]["target"], manifest["models"]["target"]]
