import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from pipeline.errors import UserMistake
from pipeline.problems import hub as hub_rows
from pipeline.problems.data_files import Row
from pipeline.problems.manifests import load_manifest
from pipeline.problems.problem_set import ProblemSet, fingerprint, load_problems
from pipeline.problems.rows import file_safe, stored_problem

Values = Mapping[str, object]
WIKI = "https://artofproblemsolving.com/wiki/index.php"
AIME: Sequence[Values] = (
    {"id": 60, "problem": "p", "answer": "204", "url": f"{WIKI}/2024_AIME_I_Problems/Problem_1"},
    {"id": 61, "problem": "q", "answer": "025", "url": f"{WIKI}/2024_AIME_I_Problems/Problem_10"},
    {"id": 75, "problem": "r", "answer": "073", "url": f"{WIKI}/2024_AIME_II_Problems/Problem_1"},
)
GPQA: Sequence[Values] = tuple(
    {
        "Question": f"question {i}",
        "Correct Answer": f"right {i}\n",
        "Incorrect Answer 1": f"one {i}",
        "Incorrect Answer 2": f"two {i}",
        "Incorrect Answer 3": f"three {i}",
        "Record ID": f"rec{i}",
    }
    for i in range(40)
)
PLAIN: Values = {"id": "a", "problem": "1 + 1?", "answer": "2"}


def jsonl(folder: Path, rows: Sequence[Values], name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(path: Path, dataset: str | None = None, seed: int = 0) -> ProblemSet:
    return load_problems(dataset, path, seed=seed, refs_dir=path.parent / "refs")


def test_an_own_file_is_named_by_its_stem_and_defaults_to_latex(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path, [PLAIN]))
    (problem,) = loaded.problems
    assert (loaded.name, loaded.rows, loaded.prompt_set) == ("mine", 1, "standard")
    assert (problem.problem_id, problem.kind, problem.answer) == ("a", "latex", "2")
    assert (problem.choices, problem.choice_order, problem.level) == ((), (), None)


def test_an_own_file_may_say_question_and_leave_ids_to_the_row_numbers(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path, [{"question": "q", "answer": 7}] * 2))
    assert [problem.problem_id for problem in loaded.problems] == ["0", "1"]
    assert loaded.problems[0].problem == "q"


@pytest.mark.parametrize(
    ("answer", "letter"), [("B", "B"), ("c", "C"), (0, "A"), (3, "D"), ("1", "B"), (2.0, "C")]
)
def test_own_choices_keep_their_order(tmp_path: Path, answer: object, letter: str) -> None:
    row = {"problem": "q", "choices": ["w", 5, "y", "z"], "answer": answer}
    (problem,) = load(jsonl(tmp_path, [row])).problems
    assert problem.kind == "choice"
    assert problem.choices == ("w", "5", "y", "z")
    assert problem.choice_order == (0, 1, 2, 3)
    assert problem.answer == letter


def test_all_three_formats_load_to_the_same_problems(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "problem": "x, y\nand z", "answer": "025", "kind": "integer", "choices": ""},
        {"id": "2", "problem": "q", "answer": "B", "kind": "", "choices": '["u", "v"]'},
    ]
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    loaded = [
        load(jsonl(tmp_path, rows)),
        *(load(tmp_path / f"mine.{s}") for s in ("csv", "parquet")),
    ]
    assert loaded[0].problems[0].answer == "025"
    assert loaded[0].problems == loaded[1].problems == loaded[2].problems
    assert len({each.fingerprint for each in loaded}) == 1


def test_aime_keeps_its_ids_and_answers_and_knows_the_papers_numbers(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path, AIME), "aime")
    first, second, _ = loaded.problems
    assert (first.problem_id, first.aliases, first.kind) == ("60", ("2024-I-1",), "integer")
    assert second.answer == "025"
    chosen = loaded.select("2024-II-1,60")
    assert [problem.problem_id for problem in chosen] == ["60", "75"]


def test_math_rows_are_numbered_and_the_unique_id_is_an_alias(tmp_path: Path) -> None:
    row = {"problem": "p", "answer": "\\frac12", "level": 3, "unique_id": "test/algebra/1.json"}
    loaded = load(jsonl(tmp_path, [row]), "math")
    (problem,) = loaded.problems
    assert (problem.problem_id, problem.record_id) == ("0", "test/algebra/1.json")
    assert (problem.kind, problem.level) == ("latex", "3")
    assert loaded.select("test/algebra/1.json") == (problem,)


def test_gpqa_choices_are_shuffled_and_the_letter_follows(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path, GPQA), "gpqa")
    for number, problem in enumerate(loaded.problems):
        assert problem.choices["ABCD".index(problem.answer)] == f"right {number}"
        assert sorted(problem.choice_order) == [0, 1, 2, 3]
        assert problem.aliases == (f"rec{number}",)
    assert {problem.answer for problem in loaded.problems} == set("ABCD")


def test_gpqa_orders_depend_on_record_and_seed_alone(tmp_path: Path) -> None:
    whole = load(jsonl(tmp_path, GPQA), "gpqa")
    part = load(jsonl(tmp_path, GPQA[::-3], "part.jsonl"), "gpqa")
    order = {problem.record_id: problem.choice_order for problem in whole.problems}
    assert all(problem.choice_order == order[problem.record_id] for problem in part.problems)
    other = load(jsonl(tmp_path, GPQA), "gpqa", seed=1)
    assert [p.choice_order for p in other.problems] != [p.choice_order for p in whole.problems]
    assert other.fingerprint == whole.fingerprint


@pytest.mark.parametrize(("column", "value"), [("id", "b"), ("problem", "1 + 2?"), ("answer", "3")])
def test_the_fingerprint_follows_id_problem_and_answer(
    tmp_path: Path, column: str, value: str
) -> None:
    loaded = load(jsonl(tmp_path, [PLAIN]))
    changed = load(jsonl(tmp_path, [{**PLAIN, column: value}]))
    noted = load(jsonl(tmp_path, [{**PLAIN, "note": "x"}]))
    assert loaded.fingerprint == noted.fingerprint != changed.fingerprint


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (
            [{"id": 1, "answer": "2"}],
            r"mine.jsonl:1: no column 'problem'; the columns are id, answer",
        ),
        ([PLAIN, {"id": 2, "problem": "p"}], r"mine.jsonl:2: no column 'answer'"),
        ([{**PLAIN, "answer": None}], "mine.jsonl:1: no value in the column 'answer'"),
        ([{**PLAIN, "answer": "  "}], "mine.jsonl:1: no value in the column 'answer'"),
        ([{**PLAIN, "answer": [1]}], "'answer' is a list, not a text or a number"),
        ([{**PLAIN, "answer": True}], "'answer' is a bool, not a text or a number"),
        ([PLAIN, PLAIN], "mine.jsonl:2: the id a is already that of mine.jsonl:1"),
        ([{**PLAIN, "kind": "number"}], "kind 'number' is none of integer, latex, choice, text"),
        ([{**PLAIN, "kind": "integer", "answer": "1/2"}], "'answer' is not an integer"),
        ([{**PLAIN, "kind": "choice"}], "of kind choice but has no choices"),
        ([{**PLAIN, "kind": "latex", "choices": ["1", "2"]}], "of kind latex but has choices"),
        ([{**PLAIN, "choices": ["1", "2"], "answer": "C"}], "neither a letter from A to B"),
        ([{**PLAIN, "choices": ["1", "2"], "answer": 2}], "nor an index from 0 to 1"),
        ([{**PLAIN, "choices": ["1"]}], "1 choices where 2 to 26 are allowed"),
        ([{**PLAIN, "choices": "1, 2"}], "'choices' is not a JSON list"),
        ([{**PLAIN, "choices": {"A": "1"}}], "'choices' is not a list of choices"),
    ],
)
def test_a_wrong_row_is_one_clear_sentence(tmp_path: Path, rows: list[Values], what: str) -> None:
    with pytest.raises(UserMistake, match=what):
        load(jsonl(tmp_path, rows))


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("empty.jsonl", "\n\n", "data file empty.jsonl is empty"),
        ("empty.csv", "id,problem,answer\n", "data file empty.csv is empty"),
        ("torn.jsonl", '{"a": 1}\n\n{"a": ', "torn.jsonl:3: not one JSON object"),
        ("nan.jsonl", '{"a": NaN}', "nan.jsonl:1: not one JSON object"),
        ("deep.jsonl", "[" * 100_000, "deep.jsonl:1: not one JSON object"),
        ("list.jsonl", "[1, 2]", "list.jsonl:1: a list, not a JSON object"),
        ("short.csv", "id,problem,answer\n1,p,2\n2,p\n", "short.csv:3: the number of cells"),
        ("long.csv", "id,problem,answer\n1,p,2,x\n", "long.csv:2: the number of cells"),
        ("twice.csv", "id,answer,problem,answer\n1,2,p,3\n", "twice.csv:1: the column 'answer'"),
        ("quote.csv", 'id,problem,answer\n1,"p,2\n', "quote.csv:2: malformed CSV"),
        ("fake.parquet", "id,problem,answer", "fake.parquet is not readable Parquet"),
        ("mine.json", "[]", "suffix '.json' is none of .jsonl, .csv, .parquet"),
        ("latin.jsonl", b'{"a": "\xe9"}', "latin.jsonl is not UTF-8"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(
    tmp_path: Path, name: str, content: str | bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserMistake, match=what):
        load(path)


def test_a_file_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match=r"absent.csv does not exist"):
        load(tmp_path / "absent.csv")
    (tmp_path / "dir.jsonl").mkdir()
    with pytest.raises(UserMistake, match=r"dir.jsonl is not a file"):
        load(tmp_path / "dir.jsonl")


def test_messages_never_quote_a_row_of_a_protected_dataset(tmp_path: Path) -> None:
    row = {**GPQA[0], "Incorrect Answer 2": ""}
    with pytest.raises(UserMistake, match="no value in the column 'Incorrect Answer 2'") as caught:
        load(jsonl(tmp_path, [row]), "gpqa")
    assert "question 0" not in str(caught.value)
    assert "right 0" not in str(caught.value)


def test_a_part_of_a_dataset_is_told_in_the_source(tmp_path: Path) -> None:
    loaded = load(jsonl(tmp_path, AIME, "part.jsonl"), "aime")
    assert loaded.source == "part.jsonl as aime (3 rows, the dataset has 30)"
    assert loaded.name == "aime"


def test_a_file_that_differs_from_a_pinned_fingerprint_is_told_in_the_source(
    tmp_path: Path,
) -> None:
    row = {"problem": "p", "answer": "1"}
    loaded = load(jsonl(tmp_path, [row] * 500), "math")
    assert loaded.source == "mine.jsonl as math (500 rows, not the same as the dataset's)"


def test_nothing_named_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="give --dataset NAME or --data-file FILE"):
        load_problems(None, None, seed=0, refs_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "rows"), [("pocket", 600), ("pocket-long", 120), ("pocket-hard", 270)]
)
def test_the_bundled_datasets_are_whole(tmp_path: Path, name: str, rows: int) -> None:
    loaded = load_problems(name, None, seed=0, refs_dir=tmp_path)
    assert loaded.rows == rows
    assert loaded.prompt_set == "pocket"
    assert load_manifest(name).fingerprint == loaded.fingerprint
    assert {problem.kind for problem in loaded.problems} <= {"integer", "latex", "choice"}


def fake_hub(monkeypatch: pytest.MonkeyPatch, rows: Sequence[Values]) -> list[str | None]:
    asked: list[str | None] = []

    def load_rows(hub: object, known: str | None) -> tuple[str, list[dict[str, object]]]:
        asked.append(known)
        return known or "c0ffee", [dict(row) for row in rows]

    monkeypatch.setattr(hub_rows, "_load", load_rows)
    return asked


def aime25(count: int) -> list[Values]:
    return [{"problem_idx": i, "problem": f"p{i}", "answer": i} for i in range(1, count + 1)]


def test_the_commit_of_the_first_load_is_recorded_and_kept_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_hub(monkeypatch, aime25(30))
    loaded = [load_problems("aime25", None, seed=0, refs_dir=tmp_path / "refs") for _ in range(2)]
    assert asked == [None, "c0ffee"]
    assert [each.revision for each in loaded] == ["c0ffee", "c0ffee"]
    assert loaded[0].source == "hub MathArena/aime_2025 train"


def test_a_pinned_commit_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake_hub(monkeypatch, [{**AIME[0], "id": i} | {"url": ""} for i in range(60, 90)])
    load_problems("aime", None, seed=0, refs_dir=tmp_path)
    assert asked == ["2fe88a2f1091d5048c0f36abc874fb997b3dd99a"]


def test_other_rows_at_the_same_commit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub(monkeypatch, aime25(30))
    load_problems("aime25", None, seed=0, refs_dir=tmp_path)
    fake_hub(monkeypatch, [{**row, "answer": 0} for row in aime25(30)])
    with pytest.raises(UserMistake, match="the commit c0ffee showed other rows before"):
        load_problems("aime25", None, seed=0, refs_dir=tmp_path)


def test_what_nobody_has_checked_is_told_at_the_first_load_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"problem_idx": i, "problem": f"p{i}", "answer": "1"} for i in range(33)]
    fake_hub(monkeypatch, rows)
    first, again = (
        load_problems("hmmt-feb26", None, seed=0, refs_dir=tmp_path).notes for _ in range(2)
    )
    assert again == ()
    assert "nobody has checked whether its ids are in problem_idx" in "".join(first)


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({}, ["no row of gpqa has a subject: its manifest takes it from the column 'High-level"]),
        ({"High-level domain": "Physics"}, []),
    ],
)
def test_a_column_that_no_row_has_is_told_with_what_nobody_has_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: Values, missing: list[str]
) -> None:
    wrong = {f"Incorrect Answer {n}": f"w{n}" for n in (1, 2, 3)}
    row = {"Question": "q", "Correct Answer": "a"} | wrong | dict(more)
    fake_hub(monkeypatch, [row | {"Record ID": f"r{n}"} for n in range(198)])
    first, again = (load_problems("gpqa", None, seed=0, refs_dir=tmp_path).notes for _ in range(2))
    assert len(first) == len(again) + 1
    assert "its rows are gated and were not seen" in first[-1]
    assert [note[: len(part)] for note, part in zip(again, missing, strict=True)] == missing


@pytest.mark.parametrize(
    ("dataset", "answer", "gold"),
    [
        ("gsm8k", "48/2 = 24 clips in May.\n#### 72", "72"),
        ("gsm8k", "#### 1\nand then\n#### 1,080", "1,080"),
        ("olympiadbench", ["2"], "2"),
        ("olympiadbench", ["$x=1$", "$x=2$"], "$x=1$, $x=2$"),
    ],
)
def test_an_answer_inside_a_solution_or_a_list_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, answer: object, gold: str
) -> None:
    row = {"question": "q", "answer": answer, "final_answer": answer}
    fake_hub(monkeypatch, [row] * (load_manifest(dataset).rows or 0))
    assert load_problems(dataset, None, seed=0, refs_dir=tmp_path).problems[0].answer == gold


def test_a_solution_without_an_answer_is_refused_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub(monkeypatch, [{"question": "q", "answer": "it is 72"}] * 1319)
    with pytest.raises(UserMistake, match=r"gsm8k row 0: no answer in 'answer' where .*looks for"):
        load_problems("gsm8k", None, seed=0, refs_dir=tmp_path)


def test_a_wrong_number_of_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, aime25(29))
    with pytest.raises(UserMistake, match="aime25 has 29 rows where its manifest expects 30"):
        load_problems("aime25", None, seed=0, refs_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wrong_fingerprint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, [{"problem": "p", "answer": "1"}] * 500)
    with pytest.raises(UserMistake, match=r"math .* has changed problems or answers"):
        load_problems("math", None, seed=0, refs_dir=tmp_path)


def test_a_damaged_record_of_a_commit_is_a_clear_mistake(tmp_path: Path) -> None:
    (tmp_path / "aime25.json").write_text("{")
    with pytest.raises(UserMistake, match=r"aime25.json .*; delete it and load again"):
        load_problems("aime25", None, seed=0, refs_dir=tmp_path)


@given(st.text(), st.text())
def test_file_safe_names_are_safe_and_never_collide(one: str, other: str) -> None:
    safe = file_safe(one)
    assert safe.isascii()
    assert len(safe) <= 120
    assert not set(safe) & set('/\\:*?"<>| \0')
    assert (safe == file_safe(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "safe"),
    [("60", "60"), ("2024-I-3", "2024-I-3"), ("a/b c", "a%2Fb%20c"), ("%2F", "%252F")],
)
def test_file_safe_keeps_plain_names(name: str, safe: str) -> None:
    assert file_safe(name) == safe


def test_very_long_names_are_cut_and_still_differ() -> None:
    assert file_safe("x" * 500) != file_safe("x" * 501)
    assert len(file_safe("é" * 500)) <= 120


def test_a_fingerprint_of_choices_follows_every_choice() -> None:
    manifest = load_manifest("gpqa")
    row = dict(GPQA[0])
    stored = stored_problem(manifest, Row("row 0", row), 0)
    changed = stored_problem(manifest, Row("row 0", {**row, "Incorrect Answer 3": "4"}), 0)
    assert fingerprint([stored]) != fingerprint([changed])


@pytest.mark.parametrize("column", ["id", "problem", "answer"])
def test_half_of_a_surrogate_pair_is_refused_with_its_place(tmp_path: Path, column: str) -> None:
    file = jsonl(tmp_path, [{**PLAIN, column: "1\ud800"}])
    with pytest.raises(UserMistake, match=rf"mine.jsonl:1: '{column}' holds half of a surrogate"):
        load_problems(None, file, seed=0)
