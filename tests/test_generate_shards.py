"""`speclrm generate` in shards: every prompt once, and one file, as one process writes it."""

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.branching import Branching
from pipeline.engines.settings import EngineSettings
from pipeline.errors import UserMistake
from pipeline.generating.prompts import Prompt, from_texts
from pipeline.generating.units import groups_of, of_shard, units_of
from pipeline.shards import Shard
from speclrm_testing.commands import Said, speclrm

COUNT = 12
TEXTS = ["uno", "eins", "un"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    script()
    lines = [json.dumps({"id": f"q{n}", "prompt": f"one {n}"}) for n in range(COUNT)]
    Path("in.jsonl").write_text("\n".join(lines))


def script(**more: object) -> None:
    rules = [{"when": "one", "texts": TEXTS}]
    Path("script.json").write_text(json.dumps({"rules": rules, **more}))


COMMAND = "generate --engine scripted --script script.json --prompts-file in.jsonl --max-display 0"


def generated(options: str) -> Said:
    return speclrm(f"{COMMAND} {options}")


def rows(file: str) -> list[dict]:
    text = Path(file).read_text()
    found = json.loads(text) if file.endswith(".json") else map(json.loads, text.splitlines())
    return [{name: one for name, one in row.items() if name != "seconds"} for row in found]


@pytest.fixture
def whole() -> list[dict]:
    """What one process writes."""
    assert generated("--output-file whole.jsonl").code == 0
    return rows("whole.jsonl")


PROMPTS = st.integers(0, 40).map(lambda count: from_texts(f"p{n}" for n in range(count)))
MODELS = [
    EngineSettings("transformers", "m"),
    EngineSettings("transformers", "m", decoding="branches"),
    *(
        EngineSettings("transformers", "m", decoding="branches", branching=branching)
        for branching in (
            Branching(5, "columnar"),
            Branching(5, "columnar", least=2),
            Branching(3, least=1),
            Branching(5, "columnar", least=2, total_tokens=60),
            Branching(5, least=2, total_tokens=60),
        )
    ),
]


def tokens_of(prompt: Prompt) -> int:
    """From 7 to 79, so that some are more than a bound of 60 alone."""
    return 7 + 17 * int(prompt.prompt_id) % 73


@pytest.mark.parametrize("model", MODELS)
@given(prompts=PROMPTS, count=st.integers(1, 7), there=st.sets(st.integers(0, 39)))
def test_every_prompt_is_one_shard_s_and_asked_once_in_the_group_that_it_has_in_one_process(
    model, prompts, count, there
):
    shards = [Shard(number, count) for number in range(1, count + 1)]
    missing = {one.prompt_id for one in prompts} - {str(one) for one in there}
    mine = [
        {one.prompt_id for one in of_shard(model, prompts, shard, tokens_of=tokens_of)}
        for shard in shards
    ]
    assert sum(map(len, mine)) == len(set().union(*mine)) == len(prompts)
    units = [
        units_of(model, prompts, missing & ids, shard, tokens_of=tokens_of)
        for ids, shard in zip(mine, shards, strict=True)
    ]
    asked = [one for unit in itertools.chain(*units) for one in unit.wanted]
    assert sorted(asked) == sorted(missing)
    if model.is_lossy:
        whole = units_of(model, prompts, missing, tokens_of=tokens_of)
        groups = {unit.prompts for unit in whole}
        assert {unit.prompts for unit in itertools.chain(*units)} == groups


@given(
    tokens=st.lists(st.integers(1, 30), max_size=40),
    most=st.integers(1, 6),
    least=st.none() | st.integers(1, 6),
    bound=st.integers(1, 90),
    seed=st.integers(0, 9),
)
def test_a_group_has_as_many_prompts_as_its_size_and_the_bound_on_its_tokens_allow(
    tokens, most, least, bound, seed
):
    least = None if least is None else min(least, most)
    branching = Branching(most, "columnar", stride=1, least=least, total_tokens=bound)
    model = replace(MODELS[0], decoding="branches", branching=branching)
    prompts = from_texts(map(str, tokens))

    def groups(some: Sequence[Prompt]) -> list[list[int]]:
        found = groups_of(model, some, seed, tokens_of=lambda one: int(one.asked))
        return [[int(one.asked) for one in group] for group in found]

    found = groups(prompts)
    assert [*itertools.chain(*found)] == tokens
    for group, after in itertools.pairwise([*found, []]):
        assert sum(group) <= bound or len(group) == 1
        assert len(group) <= most
        full = after and sum(group) + after[0] > bound
        assert len(group) >= (most if least is None else least) or full or not after
    # Prompts that are added change no group but the last.
    before = groups(prompts[: len(tokens) // 2])[:-1]
    assert before == found[: len(before)]


def test_sizes_of_groups_are_drawn_by_the_seed_and_stay_when_prompts_are_added():
    model = replace(MODELS[0], decoding="branches", branching=Branching(5, "columnar", least=2))

    def sizes(count: int, seed: int) -> list[int]:
        prompts = from_texts(f"p{n}" for n in range(count))
        every = {one.prompt_id for one in prompts}
        return [len(unit.prompts) for unit in units_of(model, prompts, every, seed=seed)]

    assert {*sizes(400, 1)[:-1]} == {2, 3, 4, 5}
    assert sizes(400, 1) != sizes(400, 2)
    assert sizes(400, 1)[:50] == sizes(300, 1)[:50]
    assert sum(sizes(401, 1)) == 401
    with pytest.raises(UserMistake, match="--min-branches is 6; it must be from 1 to --branches"):
        Branching(5, least=6)


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
def test_processes_of_this_machine_write_what_one_process_writes(whole, name):
    said = generated(f"--output-file {name} --processes 3 --batch-size 2")
    assert said.code == 0, said.err
    assert rows(name) == whole
    assert f"{COUNT} made, 0 already there" in said.out
    assert not [*Path().glob("out.shard-*")]
    assert f"0 made, {COUNT} already there" in generated(f"--output-file {name}").out


@pytest.mark.parametrize("how", ["--shard", "RANK"])
def test_the_last_shard_puts_all_in_one_file_in_the_order_of_the_prompts(whole, monkeypatch, how):
    for number in (2, 3, 1):
        assert not Path("out.jsonl").exists()
        if how == "RANK":
            monkeypatch.setenv("RANK", str(number - 1))
            monkeypatch.setenv("WORLD_SIZE", "3")
        asked = f"--shard {number}/3" if how == "--shard" else ""
        said = generated(f"--output-file out.jsonl {asked}")
        assert said.code == 0, said.err
        assert len(rows(f"out.shard-{number}-of-3.jsonl")) == COUNT / 3
    assert rows("out.jsonl") == whole


def test_only_the_first_rank_tells_and_no_rank_ends_the_others_by_a_failed_prompt(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    script(faults={"fail": [2]})
    for rank, told in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        said = generated("--output-file out.jsonl")
        assert said.code == 0
        assert ("Answers: " in said.out) == told
    assert sum(row["error"] is not None for row in rows("out.jsonl")) == 2
    monkeypatch.delenv("RANK")
    script()
    assert generated("--output-file out.jsonl --retry-errors").code == 0
    assert not any(row["error"] for row in rows("out.jsonl"))


def test_what_any_shard_has_answered_is_not_asked_again_however_many_there_are(whole):
    generated("--output-file out.jsonl --shard 1/2")
    said = generated("--output-file out.jsonl --shard 3/4")
    assert f"0 made, {COUNT // 4} already there" in said.out
    said = generated("--output-file out.jsonl")
    assert f"{COUNT // 2} made, {COUNT // 2} already there" in said.out
    assert rows("out.jsonl") == whole


def test_merging_asks_nothing_and_says_what_is_missing(whole):
    generated("--output-file out.jsonl --shard 1/2")
    said = generated("--output-file out.jsonl --merge")
    assert said.code == 2
    assert "6 of 12 prompts have no answer (q1, q3, q5, …)" in said.sentence
    Path("elsewhere").mkdir()
    generated("--output-file elsewhere/out.jsonl --shard 2/2")
    for file in Path("elsewhere").iterdir():
        file.rename(file.name)
    assert generated("--output-file out.jsonl --merge").code == 0
    assert rows("out.jsonl") == whole


def test_shards_of_other_settings_are_refused_and_beginning_anew_sets_them_aside():
    generated("--output-file out.jsonl --shard 1/2")
    for options in ("--shard 2/2", "--merge", "", "--shards 2"):
        said = generated(f"--output-file out.jsonl --seed 5 {options}")
        assert said.code == 2
        assert "out.shard-1-of-2.jsonl was written with other settings" in said.sentence
    said = generated("--output-file out.jsonl --seed 5 --overwrite --shards 2")
    assert said.code == 0, said.err
    assert f"{COUNT} made, 0 already there" in said.out
    generated("--output-file out.jsonl --seed 5 --shard 1/2")
    said = generated("--output-file out.jsonl --seed 6 --overwrite")
    assert f"{COUNT} made" in said.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--shard 3/2", "there is no shard 3/2"),
        ("--shard 0/2", "names no shard"),
        ("--shard 1/2 --shards 2", "drop one of them"),
        ("--shard 1/2 --merge", "drop one of them"),
        ("--shard 1/2 --overwrite", "choose another --output-file"),
        ("--shards 2 --stream", "--stream does not go with shards"),
        ("--shards 0", "--shards"),
    ],
)
def test_what_does_not_go_with_shards_is_refused(options, why):
    said = generated(options)
    assert said.code == 2
    assert why in said.sentence
    assert [*Path().glob("inference*")] == []


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("x", "2"), ("0", "many")])
def test_a_rank_that_is_none_is_refused(monkeypatch, rank, size):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    assert generated("").code == 2


def test_a_shard_that_fails_to_start_is_told_of_and_nothing_is_merged():
    Path("script.json").write_text("{")
    said = generated("--output-file out.jsonl --shards 2")
    assert said.code == 2
    assert "Nothing was merged" in said.sentence
    assert not Path("out.jsonl").exists()


def test_a_shard_that_breaks_off_by_an_error_is_named_and_is_no_interruption(monkeypatch):
    ends = {Shard(1, 2): 0, Shard(2, 2): 1}  # 1 is how Python ends with a traceback

    def run_first(_arguments: object, _parts: object) -> dict[Shard, int]:
        assert generated("--output-file out.jsonl --shard 1/2").code == 0
        return ends

    monkeypatch.setattr("pipeline.cli.generate_shards.run_parts", run_first)
    said = generated("--output-file out.jsonl --shards 2")
    assert said.code == 3
    assert "Shard 2/2 broke off by an error: see above what begins with [2/2], and" in said.sentence
    assert "Nothing was merged: 6 prompts without an answer." in said.sentence
    assert "Shard 1/2" not in said.err
    assert "Interrupted" not in said.err


def test_killed_twice_the_processes_write_what_one_process_writes(whole):
    script(latency={"decode_token": 0.2})
    command = shlex.split(f"{COMMAND} --output-file out.jsonl --shards 2")
    for kept in (1, 3):
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ},
        )
        deadline = time.monotonic() + 120
        while sum(one.read_bytes().count(b"\n") for one in Path().glob("out.shard-*.jsonl")) < kept:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not Path("out.jsonl").exists()
    script()
    said = generated("--output-file out.jsonl --shards 2")
    while said.code == 2 and "is in use" in said.err:  # a killed launcher's shards end at once
        said = generated("--output-file out.jsonl --shards 2")
    assert said.code == 0, said.err
    assert rows("out.jsonl") == whole
    assert ", 0 already there" not in said.out
