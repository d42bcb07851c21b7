"""Options reach the reasoners that use them and are refused by the others."""

import json

import click
import pytest
from click.testing import CliRunner

import evaluators
from pipeline import grade_run, reasoners
from pipeline.cli import group
from pipeline.cli.run import run_command
from pipeline.cli.run_help import NAMED
from pipeline.engines.settings import EngineSettings
from pipeline.errors import RunStopped, UserMistake
from pipeline.experiment import Experiment
from pipeline.reasoners import REASONERS
from pipeline.reasoners.settings import StepSettings, TrackSettings
from pipeline.review.replay import replay
from pipeline.review.revote import revote
from pipeline.runs import planning
from pipeline.runs.directory import read_attempts, read_manifest

SCRIPTED = EngineSettings("scripted", "m")
VALUES = {
    "tracks": "2",
    "method_num": "2",
    "track_prompts": "roles",
    "use_role_prompts": None,
    "use_method_prompts": None,
    "selection": "random",
    "method_pool": "9",
    "vote": "longest",
    "fast": "2",
    "score_threshold": "5",
    "score_method": "average",
    "first_n_steps_base_model": "1",
    "think_close": "removed",
    "lookahead": "2",
    "rewrite_ahead": None,
}


@pytest.fixture
def files(tmp_path):
    """Problems and two scripts: the draft errs where the target would not."""
    data = tmp_path / "sums.jsonl"
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(6)]
    data.write_text("".join(json.dumps(row | {"kind": "integer"}) + "\n" for row in rows))
    chain = "first\n\nsecond\n\n</think>\n\n\\boxed{{{}}}"
    rules = [{"when": f"{n}+1?", "text": chain.format(n + 1)} for n in range(6)]
    wrong = [{"when": f"{n}+1?", "text": chain.format(9)} for n in range(6)]
    judged = [{"when": "\\boxed{9}", "score": 1}, {"when": "my score", "score": 9}]
    (tmp_path / "target.json").write_text(json.dumps({"rules": judged[:1] + rules + judged[1:]}))
    (tmp_path / "draft.json").write_text(json.dumps({"rules": wrong}))
    return tmp_path


def command(files, reasoner, *options):
    draft = ["--draft-engine", "scripted", "--draft-script", str(files / "draft.json")]
    return [
        *("run", reasoner, "--data-file", str(files / "sums.jsonl"), "--engine", "scripted"),
        *("--script", str(files / "target.json"), "--output-dir", str(files / reasoner)),
        *(draft if REASONERS[reasoner].uses_draft else ()),
        *options,
    ]


def run(files, reasoner, *options):
    return CliRunner().invoke(group, command(files, reasoner, *options))


@pytest.mark.parametrize("reasoner", REASONERS)
@pytest.mark.parametrize("name", VALUES)
def test_an_option_without_use_is_refused(files, reasoner, name):
    value = VALUES[name]
    flag = "--" + name.replace("_", "-")
    ended = run(files, reasoner, flag, *([] if value is None else [value]), "--dry-run")
    unused = isinstance(ended.exception, UserMistake) and "cannot use" in str(ended.exception)
    assert unused == (name not in REASONERS[reasoner].options)


@pytest.mark.parametrize(
    ("reasoner", "options", "message"),
    [
        ("spec", ["--vote", "longest"], "no effect on one track"),
        ("parallel", ["--selection", "random"], "--track-prompts methods only"),
        ("parallel", ["--use-role-prompts", "--track-prompts", "methods"], "drop one of the two"),
        ("spec", ["--use-role-prompts", "--use-method-prompts"], "drop one of the two"),
        ("parallel", ["--method-num", "2"], "--track-prompts methods only"),
        (
            "parallel",
            ["--use-method-prompts", "--method-num", "2", "--tracks", "3"],
            "the same number",
        ),
        ("spec-methods", ["--method-pool", "7"], "6, 9, 12, 15"),
        ("spec-async", ["--lookahead", "-1"], "0 or more"),
        ("parallel", ["--tracks", "0"], "1 to 64"),
    ],
)
def test_options_that_contradict_are_refused(files, reasoner, options, message):
    ended = run(files, reasoner, *options)
    assert isinstance(ended.exception, UserMistake)
    assert message in str(ended.exception)


@pytest.mark.parametrize(
    ("reasoner", "options", "prompts", "tracks"),
    [
        ("spec", ["--use-role-prompts"], "roles", 3),
        ("spec-async", ["--use_role_prompts"], "roles", 3),
        ("parallel", ["--use-role-prompts"], "roles", 3),
        ("spec", ["--use-role-prompts", "--tracks", "1"], "roles", 1),
        ("spec", ["--use-role-prompts", "--tracks", "5"], "roles", 5),
        ("parallel", ["--use_method_prompts"], "methods", 3),
        ("spec", ["--use_method_prompts", "--method_num", "2"], "methods", 2),
        ("spec-methods", ["--use_method_prompts", "--method_num", "2"], "methods", 2),
        ("spec", [], "same", 1),
    ],
)
def test_role_and_method_prompts_are_three_tracks_unless_told(
    files, reasoner, options, prompts, tracks
):
    assert run(files, reasoner, *options, "--problem-id", "first:1").exit_code == 0
    settings = read_manifest(files / reasoner)["identity"]["tracks"]
    assert (settings["prompts"], settings["tracks"]) == (prompts, tracks)
    [attempt] = read_attempts(files / reasoner)
    assert len(attempt.tracks) == tracks


def test_the_later_scripts_names_of_repeats_and_pools_are_taken(files):
    ended = run(files, "spec-methods", "--num_repeats", "2", "--strategy_pool_size", "9")
    assert ended.exit_code == 0
    assert "Attempts: 12 made" in ended.output
    assert read_manifest(files / "spec-methods")["identity"]["tracks"]["method_pool"] == 9


def test_the_identity_of_a_baseline_run_knows_no_tracks():
    settings = reasoners.with_defaults(Experiment("baseline", SCRIPTED)).settings()
    assert settings.keys() & {"tracks", "steps"} == set()


def test_tracks_and_steps_are_part_of_a_runs_identity():
    experiment = Experiment("spec", SCRIPTED, SCRIPTED)
    names = {
        reasoners.with_defaults(one).name()
        for one in (
            experiment,
            Experiment("spec", SCRIPTED, SCRIPTED, sections=(StepSettings(score_threshold=5),)),
            Experiment("spec", SCRIPTED, SCRIPTED, sections=(TrackSettings(tracks=2),)),
        )
    }
    assert len(names) == 3


@pytest.mark.parametrize("reasoner", REASONERS)
def test_every_reasoner_runs_resumes_and_is_graded(files, reasoner):
    assert run(files, reasoner).exit_code == 0
    assert "Attempts: 0 made, 6 already recorded" in run(files, reasoner).output
    attempts = list(read_attempts(files / reasoner))
    assert [attempt.status for attempt in attempts] == ["ok"] * 6
    assert grade_run(files / reasoner).counts == {"correct": 6}


def test_a_changed_threshold_is_refused_with_the_difference(files):
    run(files, "spec")
    ended = run(files, "spec", "--score-threshold", "3")
    assert "steps.score_threshold: 7.0 recorded, 3.0 asked" in str(ended.exception)


def test_only_the_prompts_a_reasoner_uses_are_its_identity(files):
    run(files, "spec-methods")
    prompts = read_manifest(files / "spec-methods")["identity"]["prompts"]
    assert "score.j2" in prompts
    assert not any(file.startswith("roles/") for file in prompts)


def test_a_replay_at_the_recorded_threshold_diverges_nowhere(files):
    run(files, "spec")
    result = replay(files / "spec")
    here = next(one for one in result.settings if (one.method, one.threshold) == ("greedy", 7.0))
    low = next(one for one in result.settings if (one.method, one.threshold) == ("greedy", 0.0))
    assert (here.diverged, here.acceptance) == (0.0, pytest.approx(2 / 3))
    assert (low.diverged, low.acceptance, low.first_divergence) == (1.0, 1.0, 2.0)
    assert result.label == "track verdict"


def test_a_replay_grades_a_track_once_however_many_drafts_it_kept(files, monkeypatch):
    run(files, "spec")
    tracks = [track for attempt in read_attempts(files / "spec") for track in attempt.tracks]
    graded = []
    grade = evaluators.grade
    monkeypatch.setattr(evaluators, "grade", lambda *given: graded.append(given) or grade(*given))
    assert replay(files / "spec").judged > len(tracks)
    assert len(graded) == len(tracks) == 6


def test_a_rejected_draft_is_not_as_right_as_the_track_that_went_on_without_it(files):
    run(files, "spec")
    result = replay(files / "spec")
    kept = round(result.judged * 2 / 3)
    found = result.calibration
    assert (found.right, found.wrong, found.reliable_from, found.auroc) == (kept, 0, None, None)
    assert sum(one.count for one in found.reliability) == kept
    at = {one.threshold: one for one in result.settings if one.method == "greedy"}
    assert (at[7.0].wrong_kept, at[7.0].right_rejected) == (0.0, 0.0)
    shown = CliRunner().invoke(group, ["replay", str(files / "spec")])
    assert f"{kept} right and 0 wrong of {result.judged} judged" in " ".join(shown.output.split())


@pytest.mark.parametrize(
    ("stop", "unanswered"), [("cancelled", 2), ("error", 2), ("budget", 0), ("length", 0)]
)
def test_drafts_of_a_track_that_could_not_answer_are_neither_right_nor_wrong(
    files, stop, unanswered
):
    run(files, "spec")
    before = replay(files / "spec")
    file = files / "spec" / "problems" / "sums-1.jsonl"
    line = json.loads(file.read_text().splitlines()[0])
    [track] = line["tracks"]
    track["stop"], track["steps"] = stop, track["steps"][:2]  # it kept two drafts, and was cut off
    file.write_text(json.dumps(line) + "\n")
    after = replay(files / "spec")
    assert (after.unanswered, after.calibration.wrong) == (unanswered, 2 - unanswered)
    assert after.calibration.right == before.calibration.right - 2
    shown = CliRunner().invoke(group, ["replay", str(files / "spec")])
    said = "(2 kept in cancelled or failed tracks are neither)" in " ".join(shown.output.split())
    assert said == bool(unanswered)


def test_replay_of_a_run_without_scores_says_what_it_needs(files):
    run(files, "baseline")
    with pytest.raises(UserMistake, match="no scored steps; replay needs"):
        replay(files / "baseline")


def test_every_vote_can_be_taken_again_from_a_run(files):
    run(files, "spec-methods")
    results = revote(files / "spec-methods", ("majority", "ssr-v2"))
    assert [(one.accuracy, one.changed, one.regret) for one in results] == [(1.0, 0.0, 0.0)] * 2


def test_a_trace_shows_scores_rejected_drafts_methods_and_votes(files):
    run(files, "spec-methods")
    shown = CliRunner().invoke(group, ["show", str(files / "spec-methods"), "--problem-id", "1"])
    for words in ("score 9.00", "rejected draft", "methods by model", "vote by majority"):
        assert words in shown.output


def test_replay_and_vote_print_their_tables(files):
    run(files, "spec-methods")
    folder = str(files / "spec-methods")
    replayed = CliRunner().invoke(group, ["replay", folder])
    assert "track verdict" in replayed.output
    voted = CliRunner().invoke(group, ["vote", folder, "--rule", "ssr-v2", "--format", "json"])
    assert json.loads(voted.output)[0]["accuracy"] == 1.0


def test_a_pool_larger_than_the_prompt_set_is_refused_before_the_run(files):
    methods = files / "prompts" / "methods"
    methods.mkdir(parents=True)
    (methods / "01-guessing.j2").write_text("Tip: guess.")
    ended = run(files, "spec-methods", "--prompts", str(files / "prompts"))
    assert "has 1 methods; choose a smaller pool" in str(ended.exception)


def test_without_a_draft_a_speculative_reasoner_is_refused():
    with pytest.raises(UserMistake, match="needs a draft model"):
        planning.plan(Experiment("spec", SCRIPTED))


def test_a_target_that_cannot_score_is_refused_before_the_run(files, monkeypatch):
    monkeypatch.setattr("pipeline.engines.scripted.engine.ScriptedEngine.abilities", frozenset())
    ended = run(files, "spec")
    assert "digit log-probabilities" in str(ended.exception)
    assert not (files / "spec").exists()


def test_a_draft_that_keeps_dying_ends_the_run_and_never_hangs(files):
    faults = {"faults": {"die": list(range(3, 400))}}
    (files / "draft.json").write_text(json.dumps(faults))
    ended = run(files, "spec")
    assert isinstance(ended.exception, RunStopped)


def test_from_python_too_spec_methods_gives_every_track_a_method() -> None:
    plain = Experiment("spec-methods", SCRIPTED, SCRIPTED, sections=(TrackSettings(tracks=5),))
    with pytest.raises(UserMistake, match='need prompts="methods"'):
        reasoners.with_defaults(plain)


@pytest.mark.parametrize("reasoner", REASONERS)
def test_no_option_of_a_reasoner_stands_a_second_time_as_one_of_others(reasoner):
    context = click.Context(run_command, **run_command.context_settings)
    context.meta[NAMED] = reasoner
    names = [param.name for param in run_command.get_params(context)]
    assert sorted(names) == sorted(set(names))
