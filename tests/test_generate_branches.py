"""`speclrm generate --decoding branches` and `--stream`: the answers of plain decoding, as told."""

import errno
import itertools
import json
import os
import re
from io import StringIO
from pathlib import Path

import click
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live
from transformers import AutoModelForCausalLM, GPT2Config

import pipeline
from evaluators.reports.safe_text import safe
from pipeline.cli.branch_options import OPTIONS, branching_of
from pipeline.cli.options import given_options
from pipeline.cli.streaming import Drawn, Lines
from pipeline.decoding.branches import Branches
from pipeline.engines.branching import Branching
from pipeline.engines.sampling import Sampling
from pipeline.engines.settings import EngineSettings
from pipeline.engines.tokenizer import HFTokenizer
from pipeline.errors import UserMistake
from pipeline.generating.prompts import from_texts
from pipeline.generating.settings import Generation
from pipeline.generating.streaming import Event, Growing
from pipeline.generating.units import groups_of, units_of
from speclrm_testing.commands import Said, speclrm

TEXTS = ["one", "quite another", "one more of them", "a", "the last prompt, a little longer", "x"]
COLUMNAR = "--decoding branches --branch-mode columnar"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("\n".join(TEXTS))


@pytest.fixture
def asked(tiny_model):
    def ask(options: str, file: str = "out.jsonl") -> Said:
        return speclrm(
            f"generate --engine transformers --model {tiny_model} --prompts-file texts.txt "
            f"--max-new-tokens 12 --max-display 0 --output-file {file} {options}"
        )

    return ask


def rows(file: str = "out.jsonl") -> list[dict]:
    return list(map(json.loads, Path(file).read_text().splitlines()))


def responses(file: str = "out.jsonl") -> list[str]:
    return [row["response"] for row in rows(file)]


@pytest.mark.parametrize("drawn", ["--temperature 0", "--temperature 0.9 --seed 3"])
def test_isolated_branches_have_the_answers_of_plain_decoding(asked, drawn):
    assert asked(drawn, "plain.jsonl").code == 0
    layouts = ("--branches 1", "", "--branches 6 --no_interleave_branches", "--branch_stride 128")
    for number, layout in enumerate(layouts):
        said = asked(f"--decoding branches {layout} {drawn}", f"{number}.jsonl")
        assert said.code == 0, said.err
        assert "Warning" not in said.err
        assert responses(f"{number}.jsonl") == responses("plain.jsonl")
        assert [row["id"] for row in rows(f"{number}.jsonl")] == list("012345")


def test_columns_are_announced_recorded_and_other_than_plain(asked):
    assert asked("--temperature 0", "plain.jsonl").code == 0
    said = asked(f"{COLUMNAR} --temperature 0 --rope_2d_ratio 0.75 --align_to right")
    assert said.code == 0
    assert "Warning: --branch-mode columnar lets branches see each other" in said.sentence
    assert responses() != responses("plain.jsonl")
    settings = json.loads(Path("out.jsonl.run/settings.json").read_text())["model"]
    assert settings["decoding"] == "branches"
    assert settings["branching"] == {"mode": "columnar", "rope_2d_ratio": 0.75, "align": "right"}
    said = asked(f"{COLUMNAR} --temperature 0")
    assert said.code == 2
    assert "model.branching.rope_2d_ratio: 0.75 recorded, none asked" in said.sentence


def test_a_column_s_group_is_asked_whole_again_where_an_answer_is_missing(asked):
    assert asked(COLUMNAR).code == 0
    whole = rows()
    Path("out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in whole[1:2]))
    assert asked(COLUMNAR).code == 0
    for before, after in zip(whole, rows(), strict=True):
        assert {**before, "seconds": 0} == {**after, "seconds": 0}


def test_only_columns_are_grouped_by_all_prompts():
    prompts, missing = from_texts("abcdefg"), {"2", "6"}
    isolated = EngineSettings("transformers", "any", decoding="branches")
    columnar = EngineSettings(
        "transformers", "any", decoding="branches", branching=Branching(3, "columnar")
    )
    plain = EngineSettings("transformers", "any")
    groups = {
        name: [
            [one.prompt_id for one in unit.prompts] for unit in units_of(model, prompts, missing)
        ]
        for name, model in {"i": isolated, "c": columnar, "p": plain}.items()
    }
    assert groups == {"i": [["2"], ["6"]], "c": [["0", "1", "2"], ["6"]], "p": [["2"], ["6"]]}
    assert units_of(columnar, prompts, {"6"})[0].wanted == {"6"}


DOCUMENTS = (
    "--branches_per_sample 3 --min_branches_per_sample 2 --batch_size 2 --batch_by_samples "
    "--max_total_tokens 60 --rope_2d_ratio 0.5 --patch_rope --branch_stride 128 --align_to right"
)


def test_groups_within_a_bound_of_tokens_are_those_of_one_process_in_shards_too(asked):
    lines = [("one " if n % 3 else "two, at length ") * (n % 3 + 1) for n in range(11)]
    Path("texts.txt").write_text("\n".join([*lines, "much too long " * 9, "x"]))
    # A column's text depends on its group: equal files were made in equal groups.
    assert asked(f"{COLUMNAR} {DOCUMENTS}", "whole.jsonl").code == 1
    for number in (2, 1):
        assert asked(f"{COLUMNAR} {DOCUMENTS} --shard {number}/2", "parts.jsonl").code in {0, 1}
    timeless = [
        [row | {"seconds": 0} for row in rows(f"{name}.jsonl")] for name in ("whole", "parts")
    ]
    assert timeless[0] == timeless[1]
    failed = [row for row in rows("parts.jsonl") if row["error"]]
    assert [row["id"] for row in failed] == ["11"]
    assert "138 with its answer, and --max-total-tokens is 60" in failed[0]["error"]["message"]
    assert asked(f"{COLUMNAR} {DOCUMENTS} --max_total_tokens 0", "free.jsonl").code == 0
    assert responses("free.jsonl") != responses("whole.jsonl")


def test_a_prompt_that_leaves_no_room_fails_alone(asked):
    Path("texts.txt").write_text(f"one\n{'long ' * 30}\ntwo")
    said = asked("--decoding branches --max-length 40")
    assert said.code == 1
    assert [row["error"] is None for row in rows()] == [True, False, True]
    assert "no room" in rows()[1]["error"]["message"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--branches 3", "--branches has no effect with --decoding plain; choose --decoding bra"),
        ("--decoding window --branch-mode columnar", "--branch-mode has no effect"),
        ("--decoding branches --rope-2d-ratio 1", "no effect with --branch-mode isolated"),
        ("--decoding branches --align-to right", "--align-to has no effect with --branch-mode iso"),
        ("--decoding branches --no-patch-rope", "--patch-rope has no effect"),
        ("--decoding branches --flat-index", "--flat-index has no effect"),
        (f"{COLUMNAR} --no-patch-rope --rope-2d-ratio 1", "with --no-patch-rope; drop one"),
        (f"{COLUMNAR} --rope-2d-ratio 0 --branch-stride 7", "--branch-stride has no effect with -"),
        (
            f"{COLUMNAR} --no-patch-rope --flat-index --branch-stride 7",
            "--branch-stride has no effect with --no-patch-rope and --flat-index",
        ),
        (f"{COLUMNAR} --rope-2d-ratio 1 --flat-index", "--flat-index has no effect with --rope"),
        (f"{COLUMNAR} --rope-2d-ratio 1.5", "1.5 is not in the range"),
        (f"{COLUMNAR} --branches 40", "at 4992, where rotary angles lose digits"),
        ("--decoding branches --branch-stride 2000", "at 6000, where rotary angles lose digits"),
        ("--decoding branches --branches 0", "0 is not in the range"),
        ("--decoding branches --branches 3 --max-branches 3", "drop one of them"),
        (
            "--decoding branches --max-branches 3 --min-branches 4",
            "--min-branches is 4 and --max-branches 3; the first must not be the larger.",
        ),
        ("--max-total-tokens 90", "--max-total-tokens has no effect with --decoding plain"),
        (
            "--decoding branches --max-total-tokens 12",
            "--max-total-tokens is 12, and a prompt and its answer may have 13 alone",
        ),
        (
            "--batch-size 2 --batch-by-samples",
            "--batch-by-samples has no effect with --decoding pl",
        ),
        (
            "--decoding window --batch-by-samples",
            "--batch-by-samples has no effect with --decoding window, which has no groups",
        ),
        (
            "--max-num-seqs 4 --gather branches",
            "--gather branches has no effect with one prompt in flight; give a --batch-size of 2",
        ),
        ("--decoding branches --max-num-seqs 2", "--max-num-seqs has no effect with --decoding br"),
        ("--decoding branches --window 4", "--window has no effect with --decoding branches"),
        ("--decoding branches --force --self-check 1", "--force has no effect"),
        ("--do-sample --temperature 0", "--do-sample contradicts --temperature 0"),
        ("--no_do_sample --temperature 0.5", "--no-do-sample contradicts --temperature 0.5"),
    ],
)
def test_what_has_no_effect_or_would_be_wrong_is_refused(asked, options, why):
    said = asked(options)
    assert said.code == 2
    assert why in said.sentence
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ("", {4}),
        ("--branches-per-sample 3", {3}),
        ("--max-branches-per-sample 3", {1, 2, 3}),
        ("--max-branches-per-sample 3 --min-branches-per-sample 2", {2, 3}),
        ("--branches 3 --min-branches 2", {2, 3}),
    ],
)
def test_groups_have_one_size_or_sizes_that_are_drawn_as_in_the_original(options, sizes):
    said = click.Command("generate", params=[*OPTIONS]).make_context("generate", options.split())
    with said:
        branching = branching_of(said.params, given_options(), "branches")
    model = EngineSettings("transformers", "m", decoding="branches", branching=branching)
    prompts = from_texts(map(str, range(100)))
    assert {len(group) for group in groups_of(model, prompts, seed=0)[:-1]} == sizes


def test_the_layout_is_printed_as_it_is_fed(asked, tiny_model, monkeypatch):
    Path("texts.txt").write_text("one\nonly\nx")
    fed = []
    feed = Branches._feed

    def watched(self, tokens, wanted):
        fed.extend(tokens)
        return feed(self, tokens, wanted)

    for options in (
        "",
        "--no-interleave-branches",
        "--branch-stride 9",
        f"{COLUMNAR} --align-to right",
        f"{COLUMNAR} --no-patch-rope --branch-stride 9",
        f"{COLUMNAR} --no-patch-rope --flat-index",
    ):
        monkeypatch.setattr(Branches, "_feed", watched)
        fed.clear()
        said = asked(f"--decoding branches {options} --print-layout --max-new-tokens 1 --overwrite")
        assert said.code == 0, said.err
        lines = [line.split() for line in said.out.splitlines() if line.strip()[:1].isdigit()]
        assert said.out.startswith("Branches 0: [0], 1: [1], 2: [2]\n")
        shown = [(row[1].replace("-", "-1"), row[2], json.loads(row[4])) for row in lines]
        decode = HFTokenizer.load(str(tiny_model)).decode
        # The first forward is that of the check whether the engine is ready.
        expected = [(str(one.branch), str(one.time), decode([one.token_id])) for one in fed]
        assert shown == expected[-len(shown) :]
        assert [int(row[0]) for row in lines] == list(range(len(lines)))


def test_the_likeliest_first_tokens_are_told_where_they_are_asked_for(asked):
    said = asked("--decoding branches --print-topk 3 --temperature 0 --max-display 1")
    assert said.code == 0
    assert "  begins with " in said.out
    for row in rows():
        told = row["likeliest"]
        assert len(told) == 3
        assert row["response"].startswith(told[0]["token"].strip("\ufffd"))
        assert 1 > told[0]["probability"] >= told[1]["probability"] >= told[2]["probability"] > 0


def test_the_documents_way_to_say_greedy_is_taken(asked):
    assert asked("--temperature 0", "a.jsonl").code == 0
    assert asked("--no_do_sample", "b.jsonl").code == 0
    assert asked("--do_sample --temperature 1.2", "c.jsonl").code == 0
    assert responses("a.jsonl") == responses("b.jsonl") != responses("c.jsonl")


def test_the_self_check_tells_columns_from_the_model_s_own_text(asked):
    said = asked("--decoding branches --self-check 3 --temperature 0")
    assert said.code == 0, said.err
    assert "3 of 3 answers equal those of plain decoding" in said.out
    said = asked(f"{COLUMNAR} --self-check 4 --temperature 0", "columns.jsonl")
    assert said.code == 2
    assert (
        "does not write its own text with --branch-mode columnar; choose --branch" in said.sentence
    )


@pytest.mark.parametrize("decoding", ["", "--decoding branches", "--decoding window"])
def test_streamed_answers_are_the_same_and_printed_line_by_line(asked, decoding):
    assert asked(decoding, "plain.jsonl").code == 0
    said = asked(f"{decoding} --stream")
    assert said.code == 0, said.err
    assert responses() == responses("plain.jsonl")
    for row in rows():
        shown = safe("".join(f"[{row['id']}] {line}\n" for line in row["response"].split("\n")))
        printed = [line for line in said.out.split("\n") if line.startswith(f"[{row['id']}] ")]
        assert "\n".join(printed) == shown.rstrip("\n")


@pytest.mark.parametrize("decoding", ["plain", "branches", "window"])
def test_events_put_together_are_the_text(tiny_model, decoding):
    model = EngineSettings("transformers", str(tiny_model), decoding=decoding)
    generation = Generation(model, Sampling(temperature=1.5, top_p=1.0), max_new_tokens=40)
    told: list[Event] = []
    made = pipeline.generate(generation, from_texts(TEXTS), Path("out.jsonl"), hear=told.append)
    for row in made.rows:
        mine = [event for event in told if event.prompt_id == row["id"]]
        assert [mine[0].kind, mine[-1].kind] == ["begin", "end"]
        assert "".join(event.text for event in mine) == row["response"]
        assert len(mine) > 3
        assert len({event.branch for event in mine}) == 1
    assert [event.prompt_id for event in told if event.kind == "begin"] == list("012345")
    # Branches grow together, each under a number that no other has meanwhile.
    growing: dict[int, str] = {}
    most = []
    for event in told:
        assert growing.setdefault(event.branch, event.prompt_id) == event.prompt_id
        most.append(len(growing))
        if event.kind == "end":
            del growing[event.branch]
    assert max(most) == (4 if decoding == "branches" else 1)


def test_an_engine_that_tells_no_tokens_tells_whole_answers(tmp_path, monkeypatch):
    Path("script.json").write_text('{"rules": [{"when": "one", "text": "u\\nno"}]}')
    said = speclrm("generate --engine scripted --script script.json --prompt one --stream")
    assert said.code == 0
    assert said.out.startswith("[0] u\n[0] no\n")


@given(st.lists(st.integers(0, 255), max_size=60), st.text(max_size=12))
def test_characters_stand_as_soon_as_they_are_whole_and_none_is_lost(tiny_model, ids, text):
    tokenizer = HFTokenizer.load(str(tiny_model))
    token_ids = [*ids, *tokenizer.encode(text)]
    growing = Growing(tokenizer)
    told = "".join(map(growing.append, token_ids))
    whole = tokenizer.decode(token_ids)
    assert whole.startswith(told)
    assert set(whole[len(told) :]) <= {"\ufffd"}


def test_in_a_terminal_the_ends_of_all_answers_fit_and_whole_ones_stay(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "12")
    shown = StringIO()
    console = Console(file=shown, force_terminal=True, width=80, height=12)
    with Live(console=console, auto_refresh=False) as live:
        drawn = Drawn(live)
        for name in "abc":
            drawn.hear(Event(name, "begin"))
            drawn.hear(Event(name, "text", text="".join(f"{n} of {name}\n" for n in range(40))))
        lines = str(drawn._drawn()).splitlines()
        assert len(lines) <= 12
        assert [f"39 of {name}" in lines for name in "abc"] == [True] * 3
        assert [line[:3] for line in lines if line.startswith("[")] == ["[a]", "[b]", "[c]"]
        drawn.hear(Event("b", "text", text="w" * 300))
        assert max(map(len, str(drawn._drawn()).splitlines())) <= 80
        drawn.hear(Event("b", "end"))
        assert "of b" not in str(drawn._drawn())
    assert "0 of b" in shown.getvalue()


def test_nobody_reading_stops_no_answer(monkeypatch):
    def broken(text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("pipeline.cli.streaming.echo", broken)
    lines = Lines()
    for event in (Event("a", "begin"), Event("a", "text", text="x\ny"), Event("a", "end")):
        lines.hear(event)
    assert not lines.read


def test_a_full_standard_output_is_told_once_and_stops_no_answer(monkeypatch):
    told = []

    def full(text: str, *, err: bool = False) -> None:
        if not err:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        told.append(text)

    monkeypatch.setattr("pipeline.cli.streaming.echo", full)
    lines = Lines()
    for event in (Event("a", "begin"), Event("a", "text", text="x\ny"), Event("a", "end")):
        lines.hear(event)
    [sentence] = told
    assert "No space left on device" in sentence
    assert "go on into their file" in sentence


def test_an_id_of_several_lines_begins_no_line(capsys):
    lines, name = Lines(), "x]\n[w"
    for event in (Event(name, "begin"), Event(name, "text", text="4"), Event(name, "end")):
        lines.hear(event)
    assert capsys.readouterr().out == "[x] [w] 4\n"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("", None),
        ("--branch-stride 100", "not have the logits .*drop --branch-stride"),
        ("--branch-stride 400", "cannot have such branches .*drop --branch-stride"),
        ("--branch-mode columnar", "has 0 rotary modules"),
    ],
)
def test_what_a_model_s_positions_cannot_do_is_refused(asked, tiny_model, options, why):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=288, n_positions=512, n_embd=32, n_layer=1, n_head=2, initializer_range=0.3,
        eos_token_id=257, bos_token_id=None,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    HFTokenizer.load(str(tiny_model))._tokenizer.save_pretrained("gpt2")
    model.save_pretrained("gpt2")
    said = asked(f"--model gpt2 --decoding branches {options} --temperature 0")
    assert said.code == (2 if why else 0), said.err
    if why:
        assert re.search(why, said.sentence), said.sentence


def test_a_group_without_a_sense_is_refused():
    with pytest.raises(UserMistake, match="lose digits"):
        Branching(branches=200, stride=128)


@pytest.mark.parametrize(("dtype", "tipped"), [("bfloat16", True), ("float32", False)])
def test_the_self_check_reports_where_rounding_tipped_a_token_and_goes_on(
    asked, monkeypatch, dtype, tipped
):
    forward, numbers = Branches.forward, itertools.count()

    def tipping(self, fed):
        logits = forward(self, fed)
        # The first forward is that of the check of the model.
        if tipped and len(fed) == 4 and next(numbers) == 5:
            # As bfloat16 does between tokens that are nearly as likely.
            logits[1, 0, logits[1, 0].argmax()] = -100
        return logits

    monkeypatch.setattr(Branches, "forward", tipping)
    said = asked(f"--decoding branches --dtype {dtype} --self-check 4 --temperature 0")
    assert said.code == 0, said.err
    checked = json.loads(Path("out.jsonl.run/self-check.json").read_text())
    assert [one["equal"] for one in checked["prompts"]] == [True, not tipped, True, True]
    assert checked["prompts"][1]["matched"] == (5 if tipped else 12)
    assert f"{checked['equal']} of 4 answers equal those of plain decoding" in said.out
    assert ("sums over other shapes are rounded otherwise" in said.sentence) == tipped
    assert [row["error"] for row in rows()] == [None] * 6
