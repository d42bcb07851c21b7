"""A table's file: what it may say, and that what it may not say is refused with its place."""

import contextlib
import json

import pytest

from pipeline.cli.reasoner_options import roles
from pipeline.cli.table_settings import RunOptions
from pipeline.errors import UserMistake
from pipeline.tables.cells import cells_of, chosen
from pipeline.tables.table_file import read_table

FILE = """\
title = "Speculation"
baseline = "large"
columns = ["pocket[first:5]",
    {name = "twice", dataset = "pocket", problem_range = "first:3", repeats = 2}]

[defaults]
token_budget = 256
score_threshold = 6.0
draft = "r1-1.5b"

[models.qwq]
model = "pocket-target"
sampling = {temperature = 0.7, top_p = 0.9}
released = 2025-03-05
usd_per_gpu_hour = 2.5

[models."r1-1.5b"]
model = "pocket-draft"

[rows.large]
reasoner = "baseline"
target = "qwq"
[rows.spec]
reasoner = "spec"
target = "qwq"
sweep.score_threshold = [5, 7]
expected = [{column = "twice", value = 0.8, source = "a paper", score_threshold = 7}]
"""


@pytest.fixture
def read(tmp_path):
    """The cells of a table by their names; `changes` replace texts of the file."""

    def cells(*changes, file=FILE, settings=()):
        text = file
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "table.toml"
        path.write_text(text)
        table = read_table(path, settings, roles())
        return {cell.name: cell for cell in cells_of(table, RunOptions())}

    return cells


def test_every_row_meets_every_column_and_a_sweep_is_a_row_for_each_value(read):
    assert list(read()) == [
        f"{row} / {column}"
        for row in ("large", "spec score_threshold=5", "spec score_threshold=7")
        for column in ("pocket[first:5]", "twice")
    ]


def test_settings_come_from_defaults_cards_columns_and_rows_each_where_it_can_be_used(read):
    cells = read()
    large, spec = (
        cells["large / twice"].experiment,
        cells["spec score_threshold=7 / twice"].experiment,
    )
    assert (large.reasoner, large.repeats, large.token_budget) == ("baseline", 2, 256)
    assert (large.temperature, large.top_p, large.draft) == (0.7, 0.9, None)
    assert (spec.target.model, spec.draft.model) == ("pocket-target", "pocket-draft")
    assert spec.sections[-1].score_threshold == 7
    assert cells["large / pocket[first:5]"].experiment.repeats == 1


def test_a_sweep_over_two_keys_is_their_product(read):
    cells = read(
        ("sweep.score_threshold = [5, 7]", "sweep = {score_threshold = [5, 7], seed = [1, 2]}")
    )
    assert "spec score_threshold=5 seed=2 / twice" in cells
    assert len(cells) == 2 * (1 + 4)


def test_an_expected_value_is_of_the_sweeps_rows_that_it_names(read):
    cells = read()
    assert cells["spec score_threshold=7 / twice"].expected.value == 0.8
    assert cells["spec score_threshold=5 / twice"].expected is None


def test_cells_of_the_same_settings_are_one_run_whatever_their_slices(read):
    cells = read()
    names = [cell.experiment.name() for cell in cells.values()]
    assert len(set(names)) == 3


def test_cards_may_be_files_of_their_own_and_their_lines_are_told(read, tmp_path):
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards/qwq.toml").write_text('model = "pocket-target"\n')
    (tmp_path / "cards/r1-1.5b.toml").write_text('model = "pocket-draft"\n\nrevison = "main"\n')
    begin, end = FILE.index("[models.qwq]"), FILE.index("[rows.large]")
    text = 'models = ["cards/qwq.toml", "cards/r1-1.5b.toml"]\n' + FILE[:begin] + FILE[end:]
    with pytest.raises(UserMistake, match=r"r1-1.5b.toml, line 3: .*did you mean 'revision'"):
        read(file=text)
    (tmp_path / "cards/r1-1.5b.toml").write_text('model = "pocket-draft"\n')
    assert read(file=text)["large / twice"].experiment.target.model == "pocket-target"


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (('title = "Sp', 'tilte = "Sp'), 1, "there is no key 'tilte'; did you mean 'title'"),
        (('baseline = "large"', 'baseline = "larg"'), 2, "no row 'larg'; did you mean 'large'"),
        (('baseline = "large"', 'baseline = "spec"'), 2, "'spec' is a sweep"),
        (('baseline = "large"', "baseline = 3"), 2, "baseline is 3; it must be a text"),
        (('["pocket[first:5]"', '["poket"'), 3, "no dataset 'poket'; did you mean 'pocket'"),
        (('dataset = "pocket", ', 'dataset = "mat", '), 4, "no dataset 'mat'; did you mean 'math'"),
        (("repeats = 2", "repeat = 2"), 4, "no setting 'repeat'; did you mean 'repeats'"),
        (("repeats = 2", "repeats = 0"), None, "--repeats is 0; it must be 1 or more"),
        (("token_budget = 256", "token_buget = 256"), 7, "did you mean 'token_budget'"),
        (("token_budget = 256", "lookahead = 2"), 7, "no row here has a setting 'lookahead'"),
        (('draft = "r1-1.5b"', 'draft = "r1"'), 9, "there is no model 'r1'"),
        (('model = "pocket-target"', 'modle = "pocket-target"'), 12, "did you mean 'model'"),
        (("top_p = 0.9", "top_q = 0.9"), 13, "no sampling option 'top_q'; did you mean 'top_p'"),
        (("top_p = 0.9", "top_p = 9"), 13, "row 'large': top_p: 9.0 is not in the range"),
        (("2025-03-05", '"March"'), 14, "released is 'March'; it must be a date"),
        (("2.5", "-2.5"), 15, "usd_per_gpu_hour is -2.5; it must be above 0"),
        (("2.5", "1\nchat_template_kwargs = '[1'"), 16, "--chat-template-kwargs is not JSON"),
        (
            ("2.5", "2.5\nusd_per_million_tokens = {input = 1, output = 2}"),
            16,
            "the model has a price for its GPUs and one for its tokens; drop one of the two",
        ),
        (
            ("usd_per_gpu_hour = 2.5", "usd_per_million_tokens = {input = 1}"),
            15,
            "usd_per_million_tokens has no output of 0 or more",
        ),
        (
            ("usd_per_gpu_hour = 2.5", "usd_per_million_tokens = {inputs = 1, output = 2}"),
            15,
            "no key 'inputs'; did you mean 'input'",
        ),
        (
            ("usd_per_gpu_hour = 2.5", "usd_per_million_tokens = {input = -1, output = 2}"),
            15,
            "usd_per_million_tokens has no input of 0 or more",
        ),
        (("usd_per_gpu_hour = 2.5", "usd_per_million_tokens = 3"), 15, "it must be a table"),
        (("2.5", "nan"), 15, "usd_per_gpu_hour is nan; it must be above 0"),
        (('"baseline"\n', '"basline"\n'), 21, "no reasoner 'basline'; did you mean 'baseline'"),
        (('"baseline"\n', '"baseline"\ndataset = "math"\n'), 22, "write it in columns"),
        (('"baseline"\n', '"baseline"\nlookahead = 2\n'), 22, "'baseline' has no setting"),
        (('"baseline"\n', '"baseline"\nforce = true\n'), 22, "has no setting 'force'"),
        (('"baseline"\n', '"baseline"\ndraft = "qwq"\n'), 22, "'baseline' uses no draft model"),
        (('"baseline"\n', '"baseline"\ntop_p = [0.5, 1]\n'), 22, "write sweep.top_p"),
        (('"baseline"\n', '"baseline"\nseed = true\n'), 22, "seed is True"),
        (('"baseline"\n', '"baseline"\nrepeats = 3\n'), 22, "the column 'twice' has repeats too"),
        (("[5, 7]", "[]"), 26, "it must be a list"),
        (("[5, 7]", "[5, 12]"), 26, "row 'spec score_threshold=12'"),
        (("[5, 7]", "[5, 5]"), 26, "has a value twice"),
        (("[5, 7]", "[5, 5.0]"), 26, "has a value twice"),
        (("value = 0.8", "value = 80"), 27, "must be a share of 1"),
        (("value = 0.8", "value = true"), 27, "must be a share of 1"),
        (('column = "twice"', 'column = "thrice"'), 27, "no column 'thrice'; did you mean 'twice'"),
        (('source = "a', 'sorce = "a'), 27, "there is no key 'sorce'; did you mean 'source'"),
        (
            ("expected = [", 'expected = [{column = "twice", value = 0.7}, '),
            27,
            "two values are expected of the column 'twice', score_threshold 7; keep one",
        ),
        (("2.5", '1\nengine = "openai"\nbase_url = 5'), 17, "base URL '5' must begin with http://"),
        (("2.5", '1\nengine = "openai"\nbase_url = "htp://x"'), 17, "must begin with http://"),
    ],
)
def test_what_no_table_can_say_is_refused_with_its_line(read, tmp_path, change, line, said):
    with pytest.raises(UserMistake) as caught:
        read(change)
    assert said in str(caught.value)
    if line is not None:
        assert str(caught.value).startswith(f"{tmp_path / 'table.toml'}, line {line}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "table.toml is not TOML: Invalid value (at end of document)"),
        ("title = 'x'", "name its columns"),
        ('columns = ["pocket"]', "it has no rows"),
        ('columns = ["pocket"]\n[rows.a]\ntarget = "x"', "there is no model 'x'; there are none"),
        ('columns = ["pocket"]\n[rows.a]', "line 2: the row has no reasoner"),
        ('columns = ["pocket", "pocket"]', "two columns are called 'pocket'"),
        ('columns = [{name = "x"}]', "needs a dataset or a data_file"),
        ('columns = [{datset = "aime"}]', "needs a dataset or a data_file; one has only datset"),
        ('columns = [{dataset = "x.csv"}]', "'x.csv' is a file; write data_file = 'x.csv'"),
        ('columns = ["pocket[first:5"]', "is no column"),
        ("columns = [3]", "3 is no column"),
        ('models = ["none.toml"]', "none.toml cannot be read"),
        ("models = [3]", "3 is no card; name its file, such as cards/qwq.toml"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_it_lacks(read, text, said):
    with pytest.raises(UserMistake) as caught:
        read(file=text)
    assert said in str(caught.value)


def test_set_puts_another_value_in_place_of_the_files(read):
    settings = (
        "models.qwq.model=pocket-draft",
        "defaults.token_budget=99",
        'models."r1-1.5b".revision="abc"',
        'columns=["pocket[first:2]"]',
        "rows.spec.expected=[]",
    )
    cells = read(settings=settings)
    spec = cells["spec score_threshold=5 / pocket[first:2]"].experiment
    assert (spec.target.model, spec.token_budget, spec.draft.revision) == (
        "pocket-draft",
        99,
        "abc",
    )


def test_what_is_expected_of_the_files_columns_waits_while_set_puts_others_in_their_place(read):
    [cell] = [
        one
        for one in read(settings=('columns=["pocket[first:2]"]',)).values()
        if one.row.name == "spec score_threshold=7"
    ]
    assert cell.expected is None


def test_a_data_file_without_a_model_is_told_which_targets_there_are(read, tmp_path):
    (tmp_path / "own.csv").write_text("problem,answer\n1+1,2\n")
    with pytest.raises(UserMistake, match=r"Or give the row a target: qwq, r1-1\.5b"):
        read(("pocket[first:5]", "own.csv"), ('target = "qwq"\n[rows.spec]', "[rows.spec]"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("title", "write --set KEY=VALUE"),
        ("a b=1", "'a b' is no key"),
        ("title.x=1", "title is no table"),
        ("models.qwp.model=x", "there is no 'qwp'; did you mean 'qwq'"),
        ("rows.large.top_p=9", "--set rows.large.top_p=9: row 'large': top_p"),
    ],
)
def test_a_set_that_cannot_be_is_refused_by_its_text(read, setting, said):
    with pytest.raises(UserMistake) as caught:
        read(settings=(setting,))
    assert said in str(caught.value)


def test_a_data_file_lies_beside_the_table_that_names_it(read, tmp_path):
    (tmp_path / "own.jsonl").write_text(json.dumps({"problem": "1+1?", "answer": "2"}) + "\n")
    cells = read(('"pocket[first:5]"', '"own.jsonl[first:1]"'))
    experiment = cells["large / own[first:1]"].experiment
    assert experiment.data_file == tmp_path / "own.jsonl"
    assert (experiment.dataset, experiment.problem_range) == (None, "first:1")


def test_a_file_may_begin_with_a_byte_order_mark(read):
    assert "large / twice" in read(file="\ufeff" + FILE)


def test_rows_are_chosen_by_name_or_by_their_sweeps_name(read):
    cells = tuple(read().values())
    assert [cell.name for cell in chosen(cells, ["spec"], ["twice"])] == [
        "spec score_threshold=5 / twice",
        "spec score_threshold=7 / twice",
    ]
    with pytest.raises(UserMistake, match="no row 'speck'"):
        chosen(cells, ["speck"], [])


PLACES = [
    *("title", "baseline", "columns", "defaults", "models", "rows", "defaults.token_budget"),
    *("defaults.draft", "models.qwq", "models.qwq.model", "models.qwq.sampling", "rows.large"),
    *("models.qwq.sampling.top_p", "models.qwq.released", "models.qwq.usd_per_gpu_hour"),
    *("models.qwq.gpus", "models.qwq.source", "models.qwq.engine", "rows.large.reasoner"),
    *("rows.large.target", "rows.large.repeats", "rows.spec.sweep", "rows.spec.expected"),
    *("rows.spec.sweep.score_threshold", "rows.spec.sweep.target", "rows.large.prompts"),
]
VALUES = ["1.5", "true", "nan", "'x'", "[]", "['x', []]", "[{}]", "{x = [1]}", "2025-03-05"]
VALUES += ["[{column = [], value = 'x'}]", "[{dataset = 1, name = []}]"]


@pytest.mark.parametrize("place", PLACES)
def test_whatever_stands_anywhere_is_read_or_refused_as_a_mistake(read, place):
    shorter = (FILE[FILE.index("columns") : FILE.index("[defaults]")], 'columns = ["pocket"]\n')
    rows = ("[5, 7]", "[5]"), ('"twice"', '"pocket"')
    for value in VALUES:
        with contextlib.suppress(UserMistake):
            read(shorter, *rows, settings=(f"{place}={value}",))
