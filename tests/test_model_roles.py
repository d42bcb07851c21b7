"""Models beside target and draft, by the roles that their reasoner gives them."""

import csv
import io
import json
from dataclasses import replace
from types import MappingProxyType

import pytest
from graded_runs import verdict_row, write_run

from evaluators.reports import leaderboard
from evaluators.reports.board_columns import BY_NAME
from evaluators.run_files.attempt_record import StepLine
from evaluators.statistics.metrics import graded_run, metrics_of
from pipeline import reasoners, records
from pipeline.cost import attempt_flops
from pipeline.engines.protocol import Ability, SamplingRequest
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment
from pipeline.ledger import Use
from pipeline.reasoners.baseline import BASELINE
from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.opening import open_chain
from speclrm_testing.commands import speclrm
from speclrm_testing.reasoner_contract import ReasonerContract

USAGE = {
    "target": {"plain": {"generated": 20}},
    "judge": {"verify": {"generated": 3}, "selection": {"generated": 4}},
}
JUDGED = {"models": {"judge": {"model": "hub/judge"}}}


@pytest.fixture
def judged(tmp_path):
    rows = [verdict_row(name, usage=USAGE) for name in "ab"]
    return write_run(tmp_path / "judged", {"a": [True], "b": [True]}, rows, **JUDGED)


def test_tokens_of_every_role_are_in_table_csv_json_and_ratios(judged, tmp_path):
    plain = metrics_of(graded_run(write_run(tmp_path / "plain", {"a": [True], "b": [True]})))
    table = leaderboard.rows([metrics_of(graded_run(judged)), plain], "plain")
    assert [BY_NAME["tokens"].show(row) for row in table] == ["20 / 0 / judge 7", "20 / 0"]
    assert table[0].relative.tokens == 27 / 20
    lines = list(csv.DictReader(io.StringIO(leaderboard.as_csv(table))))
    assert [float(line["judge_tokens"] or -1) for line in lines] == [7, -1]
    assert json.loads(leaderboard.as_json(table))[0]["judge_tokens"] == 7


def test_tokens_a_problem_are_those_of_all_roles(judged):
    assert graded_run(judged).costs["a"].tokens == 27


def test_an_experiment_has_models_by_role_and_the_others_are_part_of_its_identity():
    target, judge = (EngineSettings("scripted", model) for model in ("t", "j"))
    alone = Experiment("baseline", target)
    judged = Experiment("baseline", target, others={"judge": judge})
    assert judged.models == {"target": target, "judge": judge}
    assert judged.settings()["models"]["judge"]["model"] == "j"
    assert "models" not in alone.settings()
    assert judged.name() != alone.name()


@pytest.mark.parametrize("role", ["target", "draft", "Judge", "a-b", ""])
def test_a_role_that_could_be_taken_for_another_or_no_option_is_refused(role):
    settings = EngineSettings("scripted", "m")
    with pytest.raises(UserMistake, match="cannot be the role"):
        Experiment("baseline", settings, others={role: settings})


JUDGED_CODE = """
from pipeline.engines.protocol import Ability, SamplingRequest
from pipeline.ledger import Use
from pipeline.reasoners.baseline import BASELINE
from pipeline.reasoners.entry import ReasonerEntry
from pipeline.reasoners.opening import open_chain

async def solve(assignment):
    outcome = await BASELINE.solve(assignment)
    judge = assignment.others["judge"]
    prompt = open_chain(judge.tokenizer, f"Is it right? {outcome.response}", "off")
    verdict = await judge.complete(prompt, SamplingRequest(5, 0.0, 1.0, seed=0))
    assignment.ledger.book("judge", Use.VERIFY, verdict)
    assert "right" in verdict.text
    return outcome

JUDGED = ReasonerEntry(
    name="judged-twice",
    summary="The target alone, and a judge reads its answer.",
    solve=solve,
    models={"target": frozenset(), "judge": frozenset({Ability.TOKEN_PROMPTS})},
)
"""


class TestJudged(ReasonerContract):
    """A reasoner of a package, with a third model, is held to the contract."""

    reasoner = "judged-twice"
    change = "--judge-model other", "models.judge.model: 'scripted' recorded, 'other' asked"
    rules = MappingProxyType({"judge": [{"when": "", "text": "right"}]})

    @pytest.fixture(autouse=True)
    def _installed(self, offer):
        offer("judges", "reasoners", "judged-twice = judges:JUDGED", code=JUDGED_CODE)


async def solve(assignment):
    """As the baseline, then a judge reads the response and writes a few tokens."""
    outcome = await BASELINE.solve(assignment)
    judge = assignment.others["judge"]
    prompt = open_chain(judge.tokenizer, f"Is it right? {outcome.response}", "off")
    verdict = await judge.complete(prompt, SamplingRequest(5, 0.0, 1.0, seed=0))
    assignment.ledger.book("judge", Use.VERIFY, verdict)
    return outcome


JUDGED_BASELINE = ReasonerEntry(
    name="judged",
    summary="The target alone, and a judge reads its answer.",
    solve=solve,
    models={"target": frozenset(), "judge": frozenset({Ability.TOKEN_PROMPTS})},
)


@pytest.fixture
def command(monkeypatch, tmp_path):
    """A run with a judge; every model has the shape of one layer of width one."""
    monkeypatch.setitem(reasoners.REASONERS.built_in, "judged", JUDGED_BASELINE)
    bare = ScriptedEngine.facts.fget
    shape = dict.fromkeys(("body_parameters", "head_parameters", "layers", "attention_width"), 1)
    monkeypatch.setattr(
        ScriptedEngine, "facts", property(lambda self: replace(bare(self), **shape))
    )
    (tmp_path / "sums.jsonl").write_text(json.dumps({"id": "0", "problem": "1+1?", "answer": "2"}))
    for role, text in (("target", "\\boxed{2}"), ("judge", "It is right.")):
        script = tmp_path / f"{role}.json"
        script.write_text(json.dumps({"rules": [{"when": "", "text": text}]}))
    return (
        f"run judged --data-file {tmp_path / 'sums.jsonl'} --engine scripted "
        f"--script {tmp_path / 'target.json'} --judge-script {tmp_path / 'judge.json'} "
        f"--judge-model wise --output-dir {tmp_path / 'run'}"
    )


def test_a_third_model_has_options_a_place_in_the_manifest_and_its_costs_in_every_report(
    command, tmp_path
):
    said = speclrm(command)
    assert (said.code, said.err.count("Error")) == (0, 0)
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["models"]["judge"]["model"] == "wise"
    assert manifest["identity"]["models"]["judge"]["model"] == "wise"
    assert speclrm(f"grade {tmp_path / 'run'}").code == 0
    page = tmp_path / "page.html"
    said = speclrm(f"leaderboard {tmp_path / 'run'} --format json --html {page}")
    row = json.loads(said.out)[0]
    assert (row["target_tokens"], row["draft_tokens"], row["judge_tokens"]) == (10, 0, 5)
    line = json.loads((tmp_path / "run" / "verdicts.jsonl").read_text())
    usage = records.decode(next((tmp_path / "run" / "problems").iterdir()).read_bytes()).usage
    alone = attempt_flops({"target": usage["target"]}, manifest["models"])
    assert row["flops_total"] == line["flops"]["total"] > alone.total
    written = page.read_text()
    assert '"judge_tokens":5' in written.replace(": ", ":")
    assert '"roles":["target","judge"]' in written.replace(": ", ":").replace(", ", ",")
    table = speclrm(f"leaderboard {tmp_path / 'run'} --format markdown").out
    assert "10 / 0 / judge 5" in table
    shown = speclrm(f"show {tmp_path / 'run'} --problem-id 0").out
    assert "judge" in shown


def test_another_judge_is_another_run(command, tmp_path):
    assert speclrm(command).code == 0
    other = speclrm(command.replace("--judge-model wise", "--judge-model other"))
    assert (other.code, "models.judge.model: 'wise' recorded" in other.sentence) == (2, True)


def test_help_shows_the_options_of_a_third_model_in_short_and_in_whole(command):
    short, whole = (speclrm(f"run judged {flag}").out for flag in ("--help", "--help-all"))
    assert "Judge:" in short
    assert "--judge-model for --model" in " ".join(short.split())
    assert "--judge-script PATH" in whole


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda line: line.replace("--judge-script", "--judge-tokenizer"), "has no effect with"),
        (
            lambda line: line.split("--judge-script")[0] + "--judge-engine transformers",
            "Name the model that is the judge with --judge-model.",
        ),
        (lambda line: line.replace("run judged", "run baseline"), "uses no judge model; drop"),
    ],
)
def test_a_third_model_that_cannot_be_had_is_told_in_a_sentence(command, change, sentence):
    said = speclrm(change(command))
    assert (said.code, sentence in said.sentence) == (2, True)


def test_a_role_without_a_model_and_a_model_without_a_role_are_refused(command):
    settings = EngineSettings("scripted", "m")
    with pytest.raises(UserMistake, match="needs a judge model"):
        reasoners.with_defaults(Experiment("judged", settings))
    with pytest.raises(UserMistake, match="has no use for a judge model"):
        reasoners.with_defaults(Experiment("baseline", settings, others={"judge": settings}))


def test_a_third_models_tokens_are_in_the_costs_of_a_table_of_runs_and_its_files(command, tmp_path):
    (tmp_path / "table.toml").write_text(
        """columns = ["sums.jsonl"]
        [models.t]
        engine = "scripted"
        script = "target.json"
        [models.j]
        engine = "scripted"
        script = "judge.json"
        [rows.alone]
        reasoner = "baseline"
        target = "t"
        [rows.judged]
        reasoner = "judged"
        target = "t"
        judge = "j"
        """
    )
    asked = f"table {tmp_path / 'table.toml'} --results {tmp_path / 'results'}"
    said = speclrm(f"{asked} --format markdown")
    assert said.code == 0, said.err
    assert "judge tokens" in said.out
    cells = json.loads(speclrm(f"{asked} --report --json").out)["cells"]
    assert [cell["judge_tokens"] for cell in cells] == [None, 5]
    lines = csv.DictReader(io.StringIO(speclrm(f"{asked} --report --format csv").out))
    assert [line["judge_tokens"] for line in lines] == ["", "5.0"]


@pytest.mark.parametrize(
    ("author", "rejected", "is_judged"),
    [("draft", None, True), ("target", "wrong", True), ("target", None, False)],
)
def test_a_score_counts_as_that_of_a_draft_only_where_there_is_one(author, rejected, is_judged):
    step = records.Step("a", author, 1, 0.1, "stop", score=5.0, draft_text=rejected)
    line = StepLine(text="a", author=author, score=5.0, draft_text=rejected)
    assert (step.is_judged, line.is_judged) == (is_judged, is_judged)


def test_marks_that_a_judge_gives_to_the_targets_steps_are_no_drafts_that_were_kept(
    command, tmp_path, monkeypatch
):
    async def marked(assignment):
        outcome = await solve(assignment)
        [track] = outcome.tracks
        steps = tuple(replace(step, score=3.0) for step in track.steps)
        return replace(outcome, tracks=(replace(track, steps=steps),))

    entry = replace(JUDGED_BASELINE, solve=marked)
    monkeypatch.setitem(reasoners.REASONERS.built_in, "judged", entry)
    assert speclrm(command).code == 0
    assert speclrm(f"grade {tmp_path / 'run'}").code == 0
    page = tmp_path / "page.html"
    said = speclrm(f"leaderboard {tmp_path / 'run'} --format json --html {page}")
    row = json.loads(said.out)[0]
    assert (row["acceptance"], row["rewrites"]) == (None, None)
    table = speclrm(f"leaderboard {tmp_path / 'run'} --format markdown").out
    assert "drafts kept" not in table
