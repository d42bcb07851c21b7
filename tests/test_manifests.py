from pathlib import Path

import pytest

from pipeline.errors import UserMistake
from pipeline.problems.manifests import gated_datasets, load_manifest, manifest_at, manifest_names

GOOD = """
about = "mine"
kind = "integer"
prompt_set = "standard"
bundled = "mine.jsonl"
[columns]
problem = "problem"
answer = "answer"
"""


def test_the_datasets_are_listed() -> None:
    pocket = {"pocket", "pocket-long", "pocket-hard"}
    assert set(manifest_names()) >= {"aime", "aime25", "math", "gpqa"} | pocket


@pytest.mark.parametrize("name", manifest_names())
def test_every_manifest_says_where_its_rows_are_and_how_many(name: str) -> None:
    manifest = load_manifest(name)
    assert manifest.name == name
    assert (manifest.hub is None) != (manifest.bundled is None)
    assert manifest.rows
    assert manifest.licence
    assert (
        manifest.hub is None or manifest.url == f"https://huggingface.co/datasets/{manifest.hub.id}"
    )


def test_gpqa_asks_that_examples_are_not_revealed_and_bundles_no_rows() -> None:
    manifest = load_manifest("gpqa")
    assert "not be revealed" in str(manifest.notice)
    assert manifest.gated
    assert manifest.bundled is None


def test_only_datasets_with_terms_are_gated() -> None:
    assert gated_datasets() == ("gpqa", "gpqa-extended", "gpqa-main")


def test_an_unknown_dataset_is_refused_with_a_near_match() -> None:
    with pytest.raises(UserMistake, match=r"'amie': did you mean aime\? `speclrm datasets`"):
        load_manifest("amie")
    with pytest.raises(UserMistake, match=r"unknown dataset '\.\./pocket'.*--data-file"):
        load_manifest("../pocket")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("about", "abuot", "unexpected keyword argument 'abuot'"),
        ('kind = "integer"', 'kind = "number"', "kind 'number' is none of integer, latex"),
        ('bundled = "mine.jsonl"', "", "either"),
        ('about = "mine"', 'about = "mine"\npublished = "March 2025"', "write YYYY or YYYY-MM"),
        ('answer = "answer"', 'answer = "answer"\nanswer_pattern = "#+"', "needs one group"),
        ('answer = "answer"', 'answer = "answer"\nanswer_pattern = "("', "missing \\)"),
        ('answer = "answer"', "", "missing 1 required positional argument: 'answer'"),
        ("[columns]", "[columns", "cannot read the manifest mine.toml"),
        ("[columns]", "[[alias]]\ncolumn = 'a'\npattern = '('\nname = 'x'\n[columns]", "mine.toml"),
    ],
)
def test_a_wrong_manifest_is_a_clear_mistake(tmp_path: Path, old: str, new: str, what: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert manifest_at(path).columns.problem == "problem"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UserMistake, match=what):
        manifest_at(path)
