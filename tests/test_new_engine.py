"""An engine of another package: one file and one entry point, with options of its own."""

import json
from dataclasses import replace

import pytest

from pipeline import engines
from pipeline.engines.bundled_models import with_model_folder
from pipeline.engines.declaration import EngineOption
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from speclrm_testing.commands import speclrm

ECHO = r'''
"""It answers every problem with the same number."""

from pipeline.engines.declaration import EngineEntry, EngineOption
from pipeline.engines.scripted.engine import ScriptedEngine
from pipeline.engines.scripted.script import Script


class Echo(ScriptedEngine):
    def __init__(self, settings):
        text = f"\\boxed{{{settings.own['number']}}}"
        super().__init__(settings, Script(continuation=lambda prompt, seed: text))


ECHO = EngineEntry(
    name="echo",
    path="mine:Echo",
    options=(
        EngineOption(name="number", type=int, help="What it answers.", default=3, least=0),
        EngineOption(name="pace", type=str, help="How fast.", choices=("slow", "fast"), free=True),
    ),
    model="echo-1",
    tokenizer="pipeline.engines.scripted.declaration:byte_tokenizer",
    context=None,
)
'''


@pytest.fixture
def echo(offer):
    """The engine is installed."""
    offer("mine", "engines", "echo = mine:ECHO", code=ECHO)


@pytest.fixture
def command(echo, tmp_path):
    """A run of three sums, of which the engine gets one right by default."""
    rows = [{"id": str(n), "problem": f"{n}+1?", "answer": str(n + 1)} for n in range(3)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return (
        f"run baseline --data-file {tmp_path / 'sums.jsonl'} --engine echo "
        f"--output-dir {tmp_path / 'run'}"
    )


def test_its_options_are_in_the_help_for_every_model_and_refused_with_other_engines(echo):
    said = " ".join(speclrm("run spec --help-all").out.split())
    assert "[auto|vllm|openai|transformers|ray|scripted|echo]" in said
    assert "--number INTEGER RANGE What it answers (echo). [default: 3; x>=0]" in said
    assert "--draft-pace [slow|fast] Draft: How fast (echo)." in said
    refused = speclrm("run baseline --engine transformers --number 4")
    assert refused.code == 2
    assert "--number has no effect with --engine transformers" in refused.sentence
    assert "choose echo" in refused.sentence
    assert speclrm("run baseline --engine echo --number -1").code == 2


def test_it_runs_resumes_by_what_its_options_decide_and_stands_in_the_table(command, tmp_path):
    assert "at most" in speclrm(f"{command} --dry-run").out
    made = speclrm(f"{command} --pace slow")
    assert (made.code, made.out.split(",")[0]) == (0, "Attempts: 3 made")
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]
    assert (identity["target"]["model"], identity["target"]["number"]) == ("echo-1", 3)
    assert "pace" not in identity["target"]
    again = speclrm(f"{command} --pace fast --number 3 --repeats 2")
    assert again.out.startswith("Attempts: 3 made, 3 already recorded")
    other = speclrm(f"{command} --number 2")
    assert (other.code, "target.number: 3 recorded, 2 asked" in other.sentence) == (2, True)
    assert speclrm(f"grade {tmp_path / 'run'}").code == 0
    table = speclrm(f"leaderboard {tmp_path / 'run'} --format csv").out
    assert "echo-1" in table
    assert "0.3333" in table


def test_the_doctor_starts_it(echo):
    said = speclrm("doctor --engine echo --model any")
    assert "engine echo" in said.out
    assert "\\boxed{" in said.out
    unknown = speclrm("doctor --engine no --no-engine")
    assert (unknown.code, "There is no engine 'no'" in unknown.sentence) == (2, True)


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"number": "x"}, "--number is 'x'; it must be a whole number"),
        ({"number": True}, "--number is True; it must be a whole number"),
        ({"number": -1}, "--number is -1; it must be at least 0"),
        ({"number": None}, "--number is None; it must be a whole number"),
        ({"pace": "late"}, "--pace is 'late'; it must be one of slow, fast"),
        ({"loud": 1}, "the engine echo has no option 'loud'; it has number, pace"),
    ],
)
def test_values_that_it_does_not_declare_are_refused_before_it_is_made(echo, own, sentence):
    settings = EngineSettings("echo", "m", own=own)
    with pytest.raises(UserMistake, match=sentence.split(";")[0]):
        engines.create(settings)


def test_built_in_engines_have_no_such_values_and_their_identity_does_not_speak_of_them():
    settings = EngineSettings("scripted", "m")
    assert engines.entry("scripted").own_identity(settings) == {}
    with pytest.raises(UserMistake, match="the engine scripted has no option 'number'"):
        engines.create(replace(settings, own={"number": 1}))


def test_an_engine_that_calls_itself_otherwise_cannot_be_used(offer):
    offer("mine", "engines", "other = mine:ECHO", code=ECHO)
    with pytest.raises(UserMistake, match="its entry is named 'echo'"):
        engines.entry("other")
    assert "other" not in engines.ENGINES.usable()


@pytest.mark.parametrize("name", engines.ENGINES)
def test_an_entry_names_itself_and_fields_that_exist(name):
    known = engines.entry(name)
    assert known.name == name
    fields = set(EngineSettings.__dataclass_fields__)
    assert known.honours | known.requires.keys() <= fields
    for option in known.options:
        # Ray's are values of its own; they have their defaults from its entry alone.
        if name != "ray":
            assert getattr(EngineSettings(name, "m"), option.name) == option.default


@pytest.mark.parametrize(("name", "opens"), [("vllm", True), ("openai", False)])
def test_a_bundled_name_is_that_of_files_unless_a_server_knows_its_models_by_name(name, opens):
    settings = with_model_folder(EngineSettings(name, "pocket-target"))
    assert (settings.model != "pocket-target") is opens


def test_a_range_and_a_kind_say_what_an_option_must_be():
    share = EngineOption(name="share", type=float, help="", default=0.5, above=0, most=1)
    share.check(1)
    with pytest.raises(UserMistake, match="--share is 0; it must be above 0 and at most 1"):
        share.check(0)
