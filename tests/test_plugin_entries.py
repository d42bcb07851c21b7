"""Entries of plug-ins that do not hold together are refused by name, and disturb nothing else."""

import json
from pathlib import Path

import pytest

from pipeline import engines
from pipeline.cli.common_options import common_flags
from pipeline.cli.plugin_checks import plugin_findings
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.experiment import Experiment, engine_identity
from pipeline.reasoners import REASONERS, with_defaults
from speclrm_testing.commands import speclrm
from speclrm_testing.scripted_runs import Place

REASONER = """
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar
from pipeline.reasoners.baseline import BASELINE
from pipeline.reasoners.entry import Option, Section

@dataclass(frozen=True)
class Own:
    SECTION: ClassVar[str] = "own"
    size: int = 3
    share: float = 0.5
    seed: int = 0
    word: str = "a"
    place: Path | None = None

@dataclass(frozen=True)
class Even:
    SECTION: ClassVar[str] = "own"
    even: int = 2
    def __post_init__(self):
        if self.even %% 2:
            raise ValueError(f"{self.even} is not even")

def section(*options, defaults=Own()):
    return Section(defaults, options)

def odd(*sections, **more):
    return replace(BASELINE, name="odd", summary="Odd.", sections=sections, **more)

ODD = odd(%s)
"""
ENGINE = """
from dataclasses import replace
from pathlib import Path
from pipeline.engines.declaration import EngineEntry, EngineOption
from pipeline.engines.scripted.engine import ScriptedEngine

class Odd(ScriptedEngine):
    pass

class Endless:
    async def start(self): ...
    async def complete(self, prompt, sampling): ...
    async def chat(self, messages, sampling): ...
    async def health(self): ...

def odd(*options, path="mine:Odd", **more):
    return EngineEntry(name="odd", path=path, options=options, model="m", **more)

ODD = odd(%s)
"""


@pytest.fixture
def reasoner(offer):
    """Install the reasoner `odd`, with this in its entry."""
    return lambda inside: offer("mine", "reasoners", "odd = mine:ODD", code=REASONER % inside)


@pytest.fixture
def engine(offer):
    """Install the engine `odd`, with this in its entry."""
    return lambda inside: offer("mine", "engines", "odd = mine:ODD", code=ENGINE % inside)


@pytest.fixture
def place(tmp_path):
    return Place.made(tmp_path)


def doctor():
    """What the doctor says of the one plug-in."""
    [finding] = plugin_findings()
    return f"{finding.state.value} {finding.found} {finding.advice}"


def named(flag):
    return flag.removeprefix("--").replace("-", "_")


EVERY_RUNS = sorted(
    common_flags() | {"--model", "--draft-model", "--draft-model-name", "--draft-top-k", "--script"}
)


@pytest.mark.parametrize("flag", EVERY_RUNS)
def test_a_reasoner_may_not_call_an_option_like_one_that_every_run_has(reasoner, flag):
    reasoner(f"section(Option({named(flag)!r}, 'Mine.', field='word'))")
    said = speclrm("run odd --dry-run")
    assert said.code == 2
    assert f"'odd' of the package mine 1.0 cannot be used (its option {flag} has" in said.sentence


def test_every_option_of_a_run_is_one_of_those():
    said = speclrm("run baseline --help-all").out
    there = {word.strip(",") for word in said.split() if word.startswith("--")}
    own = {flag for one in REASONERS["baseline"].options.values() for flag in one.flags()}
    assert there - common_flags() - engine_flags() - own == set()


def engine_flags():
    said = speclrm("run spec --help-all").out.partition("Target:")[2].partition("Output:")[0]
    return {word.strip(",;.") for word in said.split() if word.startswith("--")}


@pytest.mark.parametrize("name", ["seed", "dry_run", "help", "draft_model", "n_top"])
def test_such_a_reasoner_leaves_the_others_and_their_options_as_they_are(reasoner, place, name):
    reasoner(f"section(Option({name!r}, 'Mine.', field='word'))")
    assert place.speclrm("spec", "--seed 3 --dry-run").code == 0
    assert place.speclrm("baseline", "--seed 3 --problem-id first:1").code == 0
    assert "--seed INTEGER" in speclrm("run spec --help").out
    assert ("cannot be used" in speclrm("run --help").out) == (name != "n_top")
    assert doctor().startswith("ok" if name == "n_top" else "FAILURE")


REASONERS_REFUSED = [
    ("models={'target': {'token prompts'}}", "its target must be able to do is no frozenset"),
    ("models={'target': frozenset(), 'judge': None}", "its judge must be able to do is no frozen"),
    ("section(Option('width', 'W.'))", "--width sets the field 'width', which Own does not have"),
    ("section(Option('size', 'S.', int, field='sizes'))", "--size sets the field 'sizes'"),
    ("section(Option('top-m', 'T.', field='word'))", "cannot be called 'top-m'"),
    ("section(Option('--size', 'S.', int))", "cannot be called '--size'"),
    ("section(Option('size', 'S.', int, aliases=('--n-top',)))", "cannot be called '--n-top'"),
    ("section(Option('size', 'S.', int, aliases='size'))", "are no tuple"),
    ("section(Option('size', 'S.', list))", "the type of --size is <class 'list'> and none of"),
    ("section(Option('size', 'S.', int, least=5))", "by default --size is 3; it must be at least"),
    ("section(Option('size', 'S.', int, least=0.5))", "one of its bounds is not"),
    ("section(Option('word', 'W.', least=5))", "--word has bounds, which only a number can have"),
    ("section(Option('word', 'W.', choices=('b', 'c')))", "--word is 'a'; it must be one of b, c"),
    ("section(Option('size', 'S.', int)), section()", "two of its sections are called 'own'"),
    ("section(Option('size', 'S.', int), Option('size', 'S.', int))", "two of its options"),
    (
        "section(Option('size', 'S.', int, aliases=('size',)))",
        "its option --size has the name of one",
    ),
    ("5", "AttributeError: 'int' object has no attribute"),
    ("models={}", "its models have no target"),
    ("models={'target': frozenset(), 'Judge': frozenset()}", "'Judge' cannot be the role"),
    ("solve=5", "what solves is no function"),
]


@pytest.mark.parametrize(("inside", "reason"), REASONERS_REFUSED)
def test_a_reasoner_that_does_not_hold_together_is_refused_in_a_sentence(
    reasoner, place, inside, reason
):
    reasoner(inside)
    for command in ("run odd --dry-run", "run odd --help"):
        said = speclrm(command)
        assert (said.code, "Traceback" in said.err) == (2, False)
        assert "'odd' of the package mine 1.0 cannot be used (" in said.sentence
        assert reason in said.sentence
    line = doctor()
    assert line.startswith("FAILURE")
    assert reason in line
    assert place.speclrm("baseline", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("value", "sentence"), [("0", "not in the range 1<=x<=8"), ("9", "x<=8"), ("4", None)]
)
def test_bounds_of_whole_numbers_hold_on_the_command_line(reasoner, place, value, sentence):
    reasoner("section(Option('size', 'S.', int, least=1, most=8))")
    said = place.speclrm("odd", f"--size {value} --dry-run")
    assert said.code == (0 if sentence is None else 2)
    assert (sentence or "") in said.sentence


def test_a_path_of_a_reasoner_is_written_and_compared_as_its_text(reasoner, place, tmp_path):
    reasoner("section(Option('place', 'Where.', type=Path))")
    assert place.speclrm("odd", "--place notes/a.txt").code == 0
    identity = json.loads((place.run("odd") / "run.json").read_text())["identity"]
    assert identity["own"]["place"] == "notes/a.txt"
    assert place.speclrm("odd", "--place notes/a.txt").out.startswith("Attempts: 0 made")
    other = place.speclrm("odd", "--place b.txt")
    assert "own.place: 'notes/a.txt' recorded, 'b.txt' asked" in other.sentence
    table = tmp_path / "table.toml"
    rows = f'[models.m]\nengine = "scripted"\nscript = "{tmp_path / "target.json"}"\n'
    rows += '[rows.odd]\nreasoner = "odd"\ntarget = "m"\nplace = "notes/a.txt"\n'
    table.write_text('columns = ["sums.jsonl"]\n' + rows)
    assert speclrm(f"table {table} --results {tmp_path / 'results'}").code == 0


def test_a_path_of_an_engine_is_written_as_its_text(engine):
    engine("EngineOption(name='book', type=Path, help='Its book.')")
    settings = EngineSettings("odd", "m", own={"book": Path("b.txt")})
    assert engine_identity(settings)["book"] == "b.txt"


def test_settings_refuse_values_by_the_errors_that_python_has_for_it(reasoner, place):
    reasoner("section(Option('size', 'S.', int, field='even'), defaults=Even())")
    said = place.speclrm("odd", "--size 3 --dry-run")
    assert said.code == 2
    assert said.sentence == "Error: The reasoner 'odd' cannot have such settings: 3 is not even."


def test_bounds_hold_from_python_too(reasoner):
    reasoner("section(Option('size', 'S.', int, least=1, most=8))")
    defaults = REASONERS["odd"].sections[0].defaults
    own = type(defaults)(size=9)
    with pytest.raises(UserMistake, match="--size is 9; it must be at least 1 and at most 8"):
        with_defaults(Experiment("odd", EngineSettings("scripted", "m"), sections=(own,)))


def test_an_alias_has_underscores_for_dashes_as_the_name_has(reasoner, place):
    reasoner("section(Option('size', 'S.', int, aliases=('top_m',)))")
    for flag in ("--size", "--top-m", "--top_m"):
        assert place.speclrm("odd", f"{flag} 4 --dry-run").code == 0
    assert place.speclrm("baseline", "--top-m 4 --dry-run").code == 2


def test_a_name_that_another_reasoner_has_as_an_alias_is_still_ones_own(reasoner, place):
    reasoner("section(Option('strategy_pool_size', 'Mine.', field='word'))")
    assert place.speclrm("odd", "--strategy-pool-size b --dry-run").code == 0
    methods = place.speclrm("spec-methods", "--strategy-pool-size 6 --dry-run")
    assert (methods.code, "of 6" in methods.out) == (0, True)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("class Stop(BaseException): ...\nraise Stop('here')", "Stop: here"),
    ],
)
def test_a_package_that_ends_the_program_when_imported_is_only_broken(offer, place, code, reason):
    offer("mine", "reasoners", "odd = mine:ODD", code=code)
    assert place.speclrm("baseline", "--dry-run").code == 0
    assert reason in doctor()
    assert f"cannot be used ({reason})" in speclrm("run odd").sentence


def test_ctrl_c_during_an_import_is_still_ctrl_c(offer):
    offer("mine", "reasoners", "odd = mine:ODD", code="raise KeyboardInterrupt")
    assert speclrm("run odd").code == 3


ENGINES_REFUSED = [
    ("EngineOption(name='seed', type=int, help='S.')", "its option --seed has the name"),
    (
        "EngineOption(name='dry_run', type=bool, help='D.')",
        "its option --dry-run has the name of one",
    ),
    ("EngineOption(name='tracks', type=int, help='T.')", "its option --tracks has the name"),
    (
        "EngineOption(name='draft_model', type=str, help='D.')",
        "its option --draft-model has the name of one",
    ),
    (
        "EngineOption(name='draft_top_p', type=float, help='D.')",
        "its option --draft-top-p has the name of one",
    ),
    ("EngineOption(name='script', type=int, help='S.')", "its option --script has the name"),
    ("EngineOption(name='model', type=str, help='M.')", "'model' cannot be an option of one"),
    ("EngineOption(name='log', type=str, help='L.')", "'log' cannot be an option of one engine"),
    ("EngineOption(name='a-b', type=str, help='A.')", "cannot be called 'a-b'"),
    ("EngineOption(name='ab', type=str, help='A.', aliases=('--b',))", "cannot be called '--b'"),
    ("EngineOption(name='ab', type=int, help='A.', default='x')", "it must be a whole number"),
    ("honours=frozenset({'fp8'})", "it speaks of 'fp8', which is no field and no option"),
    ("requires={'beads': 'some'}", "it speaks of 'beads', which is no field and no option"),
    ("samples=frozenset({'beads'})", "'beads' is no setting of sampling"),
]


@pytest.mark.parametrize(("inside", "reason"), ENGINES_REFUSED)
def test_an_engine_that_does_not_hold_together_is_refused_and_the_others_are_not(
    engine, place, inside, reason
):
    engine(inside)
    assert place.speclrm("spec", "--seed 3 --dry-run").code == 0
    said = speclrm("run baseline --engine odd --dry-run")
    assert (said.code, "Traceback" in said.err) == (2, False)
    assert "The engine 'odd' of the package mine 1.0 cannot be used (" in said.sentence
    assert reason in said.sentence
    assert reason in doctor()


CLASSES_REFUSED = [
    ("path='mine:Endless'", "mine:Endless has no method stop"),
    ("path='mine:Nowhere'", "AttributeError: module 'mine' has no attribute 'Nowhere'"),
    ("path='nowhere:Odd'", "ModuleNotFoundError: No module named 'nowhere'"),
    ("path='mine:odd'", "mine:odd is no class"),
]


@pytest.mark.parametrize(("inside", "reason"), CLASSES_REFUSED)
def test_an_engine_without_a_class_of_engines_is_refused_before_it_is_made(engine, inside, reason):
    engine(inside)
    with pytest.raises(UserMistake) as refused:
        engines.create(EngineSettings("odd", "m"))
    assert f"'odd' of the package mine 1.0 cannot be used ({reason})" in str(refused.value)
    assert reason in doctor()


def test_an_engine_whose_module_ends_the_program_is_only_broken(engine):
    folder = engine("path='mine.late:Odd'")
    (folder / "late.py").write_text("raise SystemExit('no licence')")
    with pytest.raises(UserMistake, match=r"cannot be used \(SystemExit: no licence\)"):
        engines.create(EngineSettings("odd", "m"))
    assert "SystemExit: no licence" in doctor()


UNFIT = {
    "async def start(self): raise ConnectionError('no route')": "(ConnectionError: no route)",
    "async def start(self): raise SystemExit('bye')": "(SystemExit: bye)",
    "def start(self): pass": "(TypeError: object NoneType can't be used in 'await' expression)",
    "facts = None": "its facts are None, and no ModelFacts",
    "abilities = frozenset({'token prompts'})": "have 'token prompts', which is no Ability",
    "tokenizer = None": "its tokenizer None cannot encode",
}


@pytest.mark.parametrize(("body", "reason"), UNFIT.items(), ids=UNFIT)
def test_an_engine_that_does_not_start_or_says_nonsense_of_itself_is_refused_by_name(
    offer, place, body, reason
):
    code = ENGINE.replace(
        "class Odd(ScriptedEngine):\n    pass", f"class Odd(ScriptedEngine):\n    {body}"
    )
    inside = "tokenizer='pipeline.engines.scripted.declaration:byte_tokenizer', context=None"
    offer("mine", "engines", "odd = mine:ODD", code=code % inside)
    sums = place.folder / "sums.jsonl"
    said = speclrm(f"run baseline --engine odd --data-file {sums} --output-dir {place.run('odd')}")
    assert (said.code, "Traceback" in said.err) == (2, False)
    assert "The engine 'odd' of the package mine 1.0 cannot be used" in said.sentence
    assert reason in said.sentence


def test_a_function_of_an_engine_that_is_not_there_is_found_by_the_doctor(engine):
    engine("context='mine:nothing'")
    assert "has no attribute 'nothing'" in doctor()


@pytest.mark.parametrize("registry", [REASONERS, engines.ENGINES])
def test_our_entries_hold_together(registry):
    for name in registry.built_in:
        registry[name].check_declaration()


ROWLESS = """about = "x"
prompt_set = "standard"
bundled = "rows.jsonl"
[columns]
problem = "p"
answer = "a"
"""


@pytest.mark.parametrize(
    ("group", "file", "reason"),
    [
        ("datasets", ("odd.toml", "about = 5 ="), "cannot read the manifest"),
        ("datasets", ("other.toml", ""), "its folder has no odd.toml"),
        ("datasets", ("odd.toml", ROWLESS), "rows.jsonl"),
        ("prompts", ("task.txt", ""), "the prompt set odd has no .j2 files"),
        ("prompts", ("score.j2", "{% if %}"), "prompt odd/score.j2:1"),
    ],
)
def test_the_doctor_finds_what_a_use_of_data_or_prompts_would_be_refused_for(
    offer, group, file, reason
):
    name, content = file
    (offer("mine", group, "odd = mine") / name).write_text(content)
    line = doctor()
    assert line.startswith("FAILURE")
    assert reason in line
