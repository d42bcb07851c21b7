"""One attempt as a readable trace; what a model wrote is shown as text and never obeyed."""

import shutil
from dataclasses import replace

import pytest

import evaluators
from evaluators.reports.statements import Statement, Statements
from pipeline.cli import show
from pipeline.problems.rows import file_safe
from pipeline.records import Attempt, Failure, Step, Stop, Tokens, Track
from pipeline.runs.directory import RunDirectory
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

MANIFEST = {"schema": 1, "identity": {}, "models": {}, "sessions": [], "slice": {}}
STEP = Step(text="a=7", author="target", tokens=3, seconds=0.5, finish="stop")
TRACK = Track(id="0", steps=(STEP,), stop=Stop.FINISHED, answer="42")
ATTEMPT = Attempt(
    dataset="pocket",
    problem_id="7",
    repeat_id=1,
    seed=5,
    reasoner="baseline",
    status="ok",
    gold="43",
    kind="integer",
    choice_order=(),
    prompt_sha256=None,
    tracks=(TRACK,),
    vote=None,
    response="a=7",
    answer="42",
    usage={"target": {"plain": Tokens(9, None, 3, 45, 33)}},
    seconds=0.75,
    started="2026-01-01T00:00:00+00:00",
)


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """What `speclrm show` prints of an attempt, with a screen wide enough to wrap nothing."""
    monkeypatch.setenv("COLUMNS", "200")

    def show(attempt=ATTEMPT, options="--problem-id 7 --repeat 1"):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        with RunDirectory(run) as directory:
            directory.write_manifest(MANIFEST)
            directory.append(attempt)
        return speclrm(f"show {run} {options}")

    return show


@pytest.fixture
def asked(monkeypatch):
    """Sets what the run's problems ask."""
    return lambda told: monkeypatch.setattr(show, "statement_reader", lambda: lambda _: told)


def one_step(**changes):
    return replace(ATTEMPT, tracks=(replace(TRACK, steps=(replace(STEP, **changes),)),))


@pytest.mark.parametrize(
    "expected",
    [
        "pocket 7, repeat 1  baseline, seed 5, 2026-01-01T00:00:00+00:00",
        "a=7",
        "target, 3 tokens, 0.50 s",
        "finished: 42",
        "answer 42   gold 43",
        "target plain: 9 prompt tokens computed, unknown cached, 3 generated",
        "0.75 s",
    ],
)
def test_a_trace_tells_steps_answer_gold_and_cost(shown, expected):
    said = shown()
    assert said.code == 0
    assert expected in said.out


def test_forward_passes_stand_behind_the_tokens_that_they_gave(shown):
    plain, refused = Tokens(9, 0, 8, 45, 60, 1, forwards=1), Tokens(0, 0, 5, 0, 9)
    usage = {"target": {"plain": plain, "refused": refused}}
    said = shown(replace(ATTEMPT, usage=usage)).out
    assert "target plain: 9 prompt tokens computed, 0 cached, 8 generated in 1 forward pass" in said
    assert "0 cached, 5 generated\n" in said


def test_a_kept_draft_is_shown_with_its_score(shown):
    assert "target, 3 tokens, 0.50 s, score 9.00" in shown(one_step(score=9.0)).out


@pytest.mark.parametrize(
    ("score", "told"),
    [(2.345, "rejected draft with score 2.35: 'a=8'"), (None, "rejected draft: 'a=8'")],
)
def test_the_score_of_a_rejected_draft_stands_with_the_draft_not_with_its_rewrite(
    shown, score, told
):
    said = shown(one_step(score=score, draft_text="a=8", finish="length"))
    assert f"cut by length, {told}" in said.out


def test_the_problem_is_shown_if_the_dataset_is_as_the_run_saw_it(shown, asked):
    asked(Statements({"7": Statement("What is \x1b[2J [b]x[/b]?", ("four", "five"))}))
    said = shown().out
    assert "What is \N{REPLACEMENT CHARACTER}[2J [b]x[/b]?" in said
    assert "B. five" in said


def test_a_problem_that_cannot_be_shown_says_why(shown, asked):
    asked(Statements({}, "the dataset is gone"))
    said = shown()
    assert (said.code, "The problem is not shown: the dataset is gone" in said.out) == (0, True)


def test_the_problem_of_a_gated_dataset_is_shown_only_when_asked(shown, asked):
    asked(Statements({"7": Statement("secret")}))
    secret = replace(ATTEMPT, dataset="gpqa")
    assert "secret" not in shown(secret).out
    assert "secret" in shown(secret, "--problem-id 7 --repeat 1 --show-hidden").out


def test_a_failed_attempt_shows_its_error(shown):
    failed = replace(
        ATTEMPT, status="error", tracks=(), answer=None, error=Failure("PromptTooLong", "too long")
    )
    said = shown(failed)
    assert "failed: PromptTooLong: too long" in said.out
    assert "answer (none)" in said.out


def test_markup_in_model_text_is_shown_as_it_is(shown):
    assert "[bold]not bold[/bold]" in shown(one_step(text="[bold]not bold[/bold]")).out


@pytest.mark.parametrize("place", ["text", "draft_text"])
def test_control_sequences_in_model_text_do_not_reach_the_terminal(shown, place):
    said = shown(one_step(**{place: "clear \x1b[2J\x9b2J the screen\x07"}))
    assert not set(said.out) & {"\x1b", "\x9b", "\x07"}
    assert "the screen" in said.out


def test_control_sequences_in_an_answer_do_not_reach_the_terminal(shown):
    track = replace(TRACK, answer="\x1b[31m42", notes=("\x1b[2J",))
    said = shown(replace(ATTEMPT, tracks=(track,), answer="\x1b[31m42", gold="\x1b[1m"))
    assert "\x1b" not in said.out


def test_an_answer_that_looks_like_markup_is_shown_as_it_is(shown):
    said = shown(replace(ATTEMPT, tracks=(replace(TRACK, answer="[/x]"),)))
    assert (said.code, "finished: [/x]" in said.out) == (0, True)


def test_an_absent_repeat_is_told_with_how_many_there_are(shown):
    said = shown(options="--problem-id 7 --repeat 5")
    assert said.code == 2
    assert "Problem 7 has no repeat 5" in said.sentence


def test_an_absent_problem_is_told(shown):
    said = shown(options="--problem-id 8")
    assert (said.code, said.out) == (2, "")
    assert "There is no attempt at problem 8" in said.sentence


def graded(tmp_path, *, change=None):
    """What `show` says of an attempt after its run was graded, and then changed by `change`."""
    place = Place.made(tmp_path)
    assert place.speclrm("baseline").code == 0
    run = place.run("baseline")
    assert speclrm(f"grade {run}").code == 0
    if change is not None:
        change(run)
    return speclrm(f"show {run} --problem-id 2")


def test_the_verdict_stands_with_its_rule_and_how_it_comes_about(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = graded(tmp_path).out
    version = evaluators.GRADER_VERSION
    assert f"verdict correct by the rule box/same_text, grader {version}" in said
    assert "decided by      same_text" in said
    assert "answer          '3' (rule box" in said


def rewrite(run):
    file = run / "problems" / "sums-2.jsonl"
    file.write_text(file.read_text().replace("{3}", "{4}"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: (run / "verdicts.jsonl").unlink(), "not graded yet (speclrm grade"),
        (rewrite, "graded before this attempt was made (speclrm grade"),
    ],
)
def test_without_a_verdict_on_this_attempt_it_is_said_and_graded_for_the_show(
    tmp_path, monkeypatch, change, told
):
    monkeypatch.setenv("COLUMNS", "400")
    said = graded(tmp_path, change=change)
    assert (said.code, told in said.out) == (0, True)
    assert "decided by" in said.out
    assert "by the rule" not in said.out


def spoil(run):
    (run / "verdicts.jsonl").write_text('{"problem_id": "2"\n')


def test_broken_verdicts_are_told(tmp_path):
    said = graded(tmp_path, change=spoil)
    assert said.code == 2
    assert "verdicts.jsonl, line 1 is not a verdict" in said.sentence


def test_the_gold_answer_of_a_gated_dataset_is_shown_only_when_asked(shown, asked):
    asked(Statements({"7": Statement("secret")}))
    secret = replace(ATTEMPT, dataset="gpqa", gold="4377", response="\\boxed{5}", answer="5")
    assert "4377" not in shown(secret).out
    assert "4377" in shown(secret, "--problem-id 7 --repeat 1 --show-hidden").out


def test_an_id_is_taken_and_shown_as_its_dataset_writes_it(shown, asked):
    asked(Statements({}, "gone"))
    attempt = replace(ATTEMPT, problem_id=file_safe("a b/ü"))
    for written in ("'a b/ü'", "a%20b%2F%C3%BC"):
        assert "pocket a b/ü, repeat 1" in shown(attempt, f"--problem-id {written} --repeat 1").out


def test_every_author_has_a_colour_of_its_own_whoever_writes_beside_target_and_draft() -> None:
    authors = ("target", "draft", "judge", "critic")
    steps = tuple(replace(STEP, author=author) for author in authors)
    styles = show._styles(replace(ATTEMPT, tracks=(replace(TRACK, steps=steps),)))
    assert (styles["target"], styles["draft"]) == ("cyan", "green")
    assert len({styles[author] for author in authors}) == len(authors)
    assert all(styles.values())
