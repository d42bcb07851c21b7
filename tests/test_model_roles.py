"""Models beside target and draft, by the roles that their reasoner gives them."""

import csv
import io
import json

import pytest
from graded_runs import verdict_row, write_run

from evaluators.reports import leaderboard
from evaluators.statistics.metrics import graded_run, metrics_of
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment

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
    cell = leaderboard.HEADINGS.index("tokens target / draft")
    assert [leaderboard.cells(row)[cell] for row in table] == ["20 / 0 / judge 7", "20 / 0"]
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
