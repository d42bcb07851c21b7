"""`speclrm generate`: prompts in, one row an answer, in the order of the prompts."""

import csv
import inspect
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_server import MODELS, chat, serving

from pipeline.cli.generate import generate_command
from pipeline.cli.generation_options import model_of
from pipeline.decoding import iterative_generate
from pipeline.engines.protocol import Completion, Computed
from pipeline.engines.transformers.declaration import APPENDED, ROUNDS
from pipeline.errors import UserMistake
from pipeline.generating.effort import effort_of
from pipeline.generating.prompts import from_texts, read_prompts
from pipeline.generating.self_check import Agreement
from speclrm_testing.commands import Said, speclrm

SCRIPT = {"rules": [{"when": "one", "text": "uno"}, {"when": "two", "text": "dos"}]}
RESULTS = "inference_results.jsonl"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script()


def script(**more: object) -> None:
    Path("script.json").write_text(json.dumps(SCRIPT | more))


def generated(options: str) -> Said:
    return speclrm(f"generate --engine scripted --script script.json {options}")


def rows(file: str = RESULTS) -> list[dict]:
    text = Path(file).read_text()
    return json.loads(text) if file.endswith(".json") else list(map(json.loads, text.splitlines()))


def responses(file: str = RESULTS) -> dict[str, str]:
    return {row["id"]: row["response"] for row in rows(file)}


@pytest.mark.parametrize(
    "options",
    [
        '--prompt "say one" --prompt "say two"',
        '--prompts "say one" "say two"',
        '--prompts "say one" --batch-size 2 "say two"',
        '--prompts "say one" --seed 0 -- "say two"',
        "--prompts-file texts.txt",
        "--prompts_file texts.txt",
        "--data_path objects.jsonl",
        "--prompts-file list.json",
    ],
)
def test_prompts_come_from_one_source(options):
    Path("texts.txt").write_text("say one\n\n  \nsay two\n")
    Path("objects.jsonl").write_text('{"question": "say one"}\n{"text": "say two", "more": 1}\n')
    Path("list.json").write_text('["say one", {"prompt": "say two"}]')
    said = generated(options)
    assert said.code == 0, said.err
    assert responses() == {"0": "uno", "1": "dos"}


def test_only_ends_of_lines_part_the_prompts_of_a_text():
    Path("texts.txt").write_bytes("one\u2028line\x0c\r\ntwo\x85\n".encode())
    assert [one.asked for one in read_prompts(Path("texts.txt"))] == [
        "one\u2028line\x0c",
        "two\x85",
    ]


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
def test_ids_are_kept_and_answers_stand_in_the_order_of_the_prompts(name):
    prompts = [
        {"id": "b", "messages": [{"role": "user", "content": "two"}]},
        {"id": 7, "prompt": "one"},
    ]
    Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in prompts))
    assert generated(f"--prompts-file in.jsonl --output-file {name} --batch-size 2").code == 0
    assert list(responses(name).items()) == [("b", "dos"), ("7", "uno")]
    assert rows(name)[0]["messages"] == prompts[0]["messages"]
    first = rows(name)[1]
    assert (first["stop"], first["tokens"], first["error"]) == ("end", 4, None)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("", "Nothing gives the prompts"),
        ("--prompt one --prompts two", "--prompt and --prompts gives the prompts"),
        ("one", "What is 'one'?"),
        ("--prompt ''", "--prompt 0: the prompt is ''; it must be a text"),
        ("--prompt a --prompt 'x \udcff y'", r"--prompt 1: the prompt holds half of a surrogate"),
        ("--prompts a 'x \ud800 y'", r"--prompts 1: the prompt holds half of a surrogate"),
        ("--prompt one --output-file out.csv", "must end in .jsonl or .json"),
        ("--prompt one --max-new-tokens 0", "max-new-tokens"),
        ("--prompt one --temperature -1", "temperature"),
        ("--prompts-file none.txt", "cannot be read"),
        ("--prompts one -x", "No such option"),
        ("--prompt one --force", "--force has no effect"),
        ("--prompts-file /dev/stdin", "neither .txt nor .json, nor .jsonl"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(options, why):
    said = generated(options)
    assert said.code == 2
    assert why in said.sentence
    assert not Path(RESULTS).exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jsonl", '{"answer": "4"}', "has no prompt"),
        ("a.csv", "prompt,id,prompt\na,1,b\n", "a.csv:1: the column 'prompt' stands there twice"),
        ("a.jsonl", '{"prompt": "a", "prompt": "b"}', "a.jsonl:1: .*'prompt' stands there twice"),
        ("a.json", '[{"prompt": "a", "prompt": "b"}]', "'prompt' stands there twice"),
        ("a.jsonl", '{"prompt": "a", "text": "b"}', "has prompt and text"),
        ("a.jsonl", '{"id": "x", "prompt": "a"}\n{"id": "x", "prompt": "b"}', "the id 'x'"),
        ("a.jsonl", '{"id": 1.5, "prompt": "a"}', "1: the id is 1.5; .* text or a whole number"),
        ("a.jsonl", '{"id": null, "prompt": "a"}', "1: the id is null; it must be .* or left out"),
        ("a.jsonl", '{"prompt": "a"}\n{"prompt": "x \\ud800 y"}', r"a.jsonl:2: the prompt .* half"),
        ("a.jsonl", '{"id": "\\udfff", "prompt": "a"}', r"a.jsonl:1: the id holds half"),
        ("a.json", '["a", "\\ud800"]', r"a.json, entry 1: the prompt holds half"),
        (
            "a.json",
            '[{"messages": [{"role": "user", "content": "\\ud800"}]}]',
            "entry 0: the content of a message holds half",
        ),
        ("a.jsonl", '{"prompt": "a"}\n{"prompt"', "a.jsonl:2"),
        ("a.jsonl", '{"messages": [{"role": "user"}]}', "messages must be a list"),
        ("a.jsonl", '{"messages": "hello"}', "messages must be a list"),
        ("a.json", '{"prompt": "a"}', "is no list"),
        ("a.json", "[3]", "neither a text nor an object"),
        ("a.json", '["a", " "]', "must be a text"),
        ("a.txt", "\n", "holds no prompt"),
    ],
)
def test_a_malformed_file_of_prompts_is_named_with_the_place(tmp_path, name, content, why):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(UserMistake, match=why):
        read_prompts(file)


def test_an_id_of_several_lines_is_shown_on_one():
    Path("in.json").write_text(json.dumps([{"id": "a\n[b] forged", "prompt": "one"}]))
    assert generated("--prompts-file in.json").out.startswith("[a [b] forged] one\nuno\n")


def test_texts_are_called_by_their_numbers():
    assert [one.prompt_id for one in from_texts(["a", "b"])] == ["0", "1"]


def test_a_prompt_that_fails_is_an_error_row_and_never_a_response():
    script(faults={"fail": [1]})
    said = generated("--prompts one two")
    assert said.code == 1
    failed, fine = rows()
    assert failed["response"] is None
    assert failed["error"]["type"] == "EngineFailure"
    assert fine["response"] == "dos"
    assert "Answers: 1 made, 0 already there, 1 failed, 0 remaining." in said.out
    again = generated("--prompts one two")
    assert "Answers: 0 made, 1 already there, 1 failed, 0 remaining." in again.out
    assert generated("--prompts one two").code == 1  # what failed is not asked again by itself
    script()
    assert generated("--prompts one two --retry-errors").code == 0
    assert responses() == {"0": "uno", "1": "dos"}


@pytest.mark.parametrize(
    ("options", "stop", "tokens"),
    [
        ("", "end", 4),
        ("--max-new-tokens 2", "max_new_tokens", 2),
        ("--max-length 5", "max_length", 2),
        ("--max-length 4 --max-new-tokens 3", "max_length", 1),
    ],
)
def test_limits_are_exact_and_the_row_says_which_ended_it(options, stop, tokens):
    assert generated(f"--prompt one {options}").code == 0
    assert (rows()[0]["stop"], rows()[0]["tokens"]) == (stop, tokens)


@pytest.mark.parametrize("how", ["--max-length 3", "context"])
def test_a_prompt_that_leaves_no_room_is_not_cut_but_an_error(how):
    if how == "context":
        script(context=3)
    assert generated(f"--prompt one {how if how != 'context' else ''}").code == 1
    assert rows()[0]["error"]["type"] == "PromptTooLong"
    assert rows()[0]["response"] is None


def test_the_model_s_own_context_ends_an_answer_by_name():
    script(context=5)
    generated("--prompt one")
    assert rows()[0]["stop"] == "context"


def test_a_template_is_used_where_it_is_asked_for():
    generated("--prompt one --use-chat-template")
    generated("--prompt one --output-file plain.jsonl")
    assert rows()[0]["prompt_tokens"] > rows("plain.jsonl")[0]["prompt_tokens"] == 3


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
def test_what_is_answered_is_not_asked_again_and_more_prompts_are_added(name):
    generated(f"--prompts one --output-file {name}")
    first = rows(name)[0]
    said = generated(f"--prompts one two --output-file {name}")
    assert "1 made, 1 already there" in said.out
    assert rows(name)[0] == first
    assert responses(name) == {"0": "uno", "1": "dos"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--prompts one --seed 3", "seed: 0 recorded, 3 asked"),
        ("--prompts one --temperature 0", "temperature: 0.6 recorded, 0.0 asked"),
        ("--prompts one --max-length 90", "max_length: 8192 recorded, 90 asked"),
        ("--prompts one --model other", "model.model: 'scripted' recorded, 'other' asked"),
        ("--prompts two", "another prompt with the id '0'"),
    ],
)
def test_a_changed_setting_is_refused_by_name_and_changes_nothing(options, why):
    generated("--prompts one")
    before = Path(RESULTS).read_bytes()
    said = generated(options)
    assert said.code == 2
    assert why in said.sentence
    assert Path(RESULTS).read_bytes() == before


def test_a_file_of_somebody_else_s_is_left_alone():
    Path(RESULTS).write_text('{"mine": 1}\n')
    said = generated("--prompt one")
    assert said.code == 2
    assert Path(RESULTS).read_text() == '{"mine": 1}\n'


def test_overwriting_keeps_what_was_there_beside_it():
    generated("--prompt one")
    said = generated("--prompt two --seed 5 --overwrite")
    assert said.code == 0, said.err
    assert responses() == {"0": "dos"}
    assert "uno" in Path(f"{RESULTS}.run", f"replaced-{RESULTS}").read_text()


def everything() -> dict[Path, bytes]:
    return {
        file: file.read_bytes()
        for file in Path().rglob("*")
        if file.is_file() and file.name not in {".lock", "engine.log", "script.json"}
    }


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
@pytest.mark.parametrize(
    "options",
    ["--overwrite", "--overwrite --seed 5", "--retry-errors", "", "--overwrite --shards 2"],
)
def test_what_does_not_start_changes_no_file(name, options):
    script(faults={"fail": [2]})
    assert generated(f"--prompts one two --output-file {name}").code == 1
    before = everything()
    Path("script.json").write_text("{")
    more = "" if "--" in options else "three"
    said = generated(f"--prompts one two {more} --output-file {name} {options}")
    assert said.code == 2, said.err
    assert everything() == before


def test_a_self_check_that_refuses_leaves_what_would_be_overwritten(monkeypatch):
    generated("--prompt one")
    before = everything()

    def refuse(*_given: object, **_named: object) -> None:
        raise UserMistake("unsuited")

    monkeypatch.setattr("pipeline.cli.generate._check", refuse)
    monkeypatch.setattr("pipeline.cli.generate._refuse_idle", lambda *_given, **_named: None)
    assert "unsuited" in generated("--prompt two --overwrite --self-check 1").err
    assert everything() == before


def test_what_was_overwritten_twice_is_all_kept():
    for seed, shards in enumerate(("", "", "--shards 2")):
        said = generated(f"--prompts one two --seed {seed} --overwrite {shards}")
        assert "2 made, 0 already there" in said.out, said.err
    kept = Path(f"{RESULTS}.run")
    assert {one.name for one in kept.glob("replaced-*")} == {
        f"replaced-{RESULTS}",
        f"replaced-2-{RESULTS}",
    }


def test_a_csv_cell_may_be_as_long_as_its_file():
    Path("long.csv").write_text("prompt,,\n" + "x" * 200_000 + ",,\n")
    (prompt,) = read_prompts(Path("long.csv"))
    assert prompt.asked == "x" * 200_000
    assert csv.field_size_limit() == 131_072


@pytest.mark.parametrize("option", ["--stream", "--print-layout"])
def test_what_would_be_printed_does_not_go_with_quiet(option):
    branches = "--engine transformers --model pocket-target --decoding branches"
    said = speclrm(f"generate {branches} --prompt one --quiet {option}")
    assert said.code == 2
    assert f"so {option} has no effect" in said.sentence


@pytest.mark.parametrize("name", ["out.jsonl", "out.json"])
def test_a_torn_last_line_is_answered_again(name):
    generated(f"--prompts one two --output-file {name}")
    whole = [json.dumps(row) for row in rows(name)]
    growing = Path(name) if name.endswith(".jsonl") else Path(f"{name}.run", "rows.jsonl")
    Path(name).unlink()
    growing.write_text(whole[0] + "\n" + whole[1][:20])
    said = generated(f"--prompts one two --output-file {name}")
    assert "1 made, 1 already there" in said.out
    assert responses(name) == {"0": "uno", "1": "dos"}
    assert whole[1][:20] in Path(f"{name}.run", "torn.txt").read_text()


def test_kill_dash_nine_loses_no_answer_and_doubles_none():
    script(latency={"decode_token": 0.01})
    numbers = " ".join(f"'one {number}'" for number in range(40))
    options = shlex.split(f"generate --engine scripted --script script.json --prompts {numbers}")
    process = subprocess.Popen([sys.executable, "-m", "pipeline", *options])
    deadline = time.monotonic() + 120
    while not (Path(RESULTS).exists() and Path(RESULTS).stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = Path(RESULTS).read_text().count("\n")
    assert 0 < kept < 40
    script()
    said = generated(f"--prompts {numbers}")
    assert f"{40 - kept} made, {kept} already there" in said.out
    assert [row["id"] for row in rows()] == [str(number) for number in range(40)]


def test_a_server_that_takes_only_chats_is_asked_by_chats_and_refuses_bare_texts():
    with serving(lambda path: MODELS if path.endswith("/models") else chat("uno")) as url:
        command = f"generate --engine openai --base-url {url} --model m --prompt one"
        said = speclrm(command)
        assert said.code == 2
        assert "--use-chat-template" in said.sentence
        assert not Path(RESULTS).exists()
        assert speclrm(f"{command} --use-chat-template").code == 0
    assert responses() == {"0": "uno"}


def test_few_answers_are_shown_and_a_model_must_be_named():
    said = generated("--prompts one two --max-display 1")
    assert "uno" in said.out
    assert "dos" not in said.out
    said = speclrm("generate --engine transformers --prompt one")
    assert said.code == 2
    assert "--model" in said.sentence


def test_the_documents_spellings_are_taken():
    said = speclrm(
        "generate --engine scripted --script script.json --model_path any --prompts one "
        "--batch_size 1 --max_new_tokens 3 --max_length 90 --top_p 0.9 --output_file o.json "
        "--max_display 0 --use_chat_template"
    )
    assert said.code == 0, said.err
    assert rows("o.json")[0]["tokens"] == 3
    Path("in.jsonl").write_text('{"question": "one"}\n')
    said = speclrm(
        "generate --engine scripted --script script.json --hf_base_model any --data_path in.jsonl "
        "--out_path p.json --batch_size 8 --max_new_tokens 3 --do_sample "
        "--temperature 0.7 --top_p 0.9 --chat_template --max_display 0 --processes 1"
    )
    assert said.code == 0, said.err
    assert rows("p.json")[0]["tokens"] == 3
    assert json.loads(Path("p.json.run/settings.json").read_text())["model"]["model"] == "any"


def test_what_is_not_given_is_as_the_documents_have_it():
    assert generated("--prompts one").code == 0
    kept = json.loads(Path(f"{RESULTS}.run/settings.json").read_text())
    assert (kept["max_new_tokens"], kept["max_length"]) == (1024, 8192)
    values = {one.name: one.default for one in generate_command.params}
    assert (values["batch_size"], str(values["output_file"])) == (1, RESULTS)
    written = inspect.signature(iterative_generate).parameters
    numbers = ("add_eos_length", "refine_iter", "max_new_tokens", "max_length")
    assert [written[name].default for name in numbers] == [127, 2, 1024, 8192]
    assert (APPENDED, ROUNDS) == (127, 2)


@pytest.mark.parametrize(
    ("named", "devices"),
    [(None, None), ("cpu", "cpu"), ("cuda", None), ("cuda:1", "1"), ("0,1", "0,1")],
)
def test_a_device_may_be_called_as_in_torch(named, devices):
    values = {one.name: one.default for one in generate_command.params}
    given = {"engine": "transformers", "model": "m", "devices": named}
    assert model_of(values | given, {"model"}).devices == devices


POCKET = (
    "generate --engine transformers --model pocket-target --use-chat-template --temperature 0 "
    "--prompts 'What is 4 + 5 * 3?' 'What is 7 * 8?' --max-new-tokens 40"
)


def test_refining_is_told_round_by_round_and_the_trace_changes_no_answer():
    said = speclrm(f"{POCKET} --decoding refine --append-eos 7 --refine-rounds 2 --trace")
    assert said.code == 0, said.err
    assert "tokens that the model has not verified" in said.sentence
    assert "block 0, round 1: 0 sure, 7 of 7 changed" in said.out
    speclrm(f"{POCKET} --decoding refine --add_eos_length 7 --refine_iter 2 --output-file o.jsonl")
    for traced, row in zip(rows(), rows("o.jsonl"), strict=True):
        assert row["response"] == traced["response"]
        assert "trace" not in row
        trace = traced["trace"]
        assert len(trace) == row["rounds"] == row["forwards"] - 1
        assert trace[-1]["block"] == row["blocks"] - 1
        assert {one["round"] for one in trace} <= {1, 2}
        assert 0 < row["unverified"] < row["tokens"] < row["computed"]


GUESSES = {
    "refused": Computed(prompt=0, attended_prompt=0, tokens=5, attended=40),
    "assisted": Computed(prompt=9, attended_prompt=45, tokens=14, attended=99),
}


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ({}, {}),
        ({"forwards": 8}, {"forwards": 8, "computed": 8, "tokens_a_forward": 1.0}),
        (
            {"forwards": 3, "assistant_forwards": 11, **GUESSES},
            {"forwards": 3, "computed": 13, "tokens_a_forward": 2.667}
            | {"assistant_computed": 14, "assistant_forwards": 11},
        ),
    ],
)
def test_a_row_tells_what_its_tokens_cost_where_the_engine_does(cost, told):
    done = Completion("", tuple(range(8)), "stop", None, 5, 0, 0.0, **cost)
    assert effort_of(done) == told


def test_the_self_check_refuses_a_model_that_refining_makes_write_something_else():
    lossy = f"{POCKET} --decoding refine --append-eos 7 --self-check 2"
    said = speclrm(lossy)
    assert said.code == 2
    assert "0 of 2 answers equal those of plain decoding" in said.out
    assert "--decoding window" in said.sentence
    assert not Path(RESULTS).exists()
    written = json.loads(Path(f"{RESULTS}.run/self-check.json").read_text())
    assert (written["equal"], written["is_low"], written["failed"]) == (0, True, [])
    assert [one["id"] for one in written["prompts"]] == ["0", "1"]
    assert written["settings"]["model"]["append_eos"] == 7
    assert speclrm(f"{lossy} --force").code == 0
    exact = speclrm(f"{POCKET} --decoding refine --append-eos 3 --refine-rounds 4 --self-check 1 "
                    "--output-file exact.jsonl")  # fmt: skip
    assert exact.code == 0, exact.err
    assert "1 of 1 answers equal" in exact.out
    assert speclrm(f"{POCKET} --output-file plain.jsonl").code == 0
    assert responses("exact.jsonl") == responses("plain.jsonl")
    assert {row["unverified"] for row in rows("exact.jsonl")} == {0}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--append-eos 7", "choose --decoding refine"),
        ("--decoding refine --window 8", "choose --decoding window"),
        ("--decoding window --refine-rounds 2", "choose --decoding refine"),
        ("--trace", "--trace has no effect"),
        ("--self-check 2", "this is plain"),
        ("--decoding refine --refine-rounds 0", "refine-rounds"),
    ],
)
def test_settings_of_another_decoding_are_refused(options, why):
    said = speclrm(f"{POCKET} {options}")
    assert said.code == 2
    assert why in said.sentence


def test_the_self_check_tells_of_prompts_that_failed():
    long = "many words " * 300
    said = speclrm(
        f"generate --engine transformers --model pocket-target --temperature 0 --max-length 200 "
        f"--prompts 'What is 7 * 8?' '{long}' --decoding window --self-check 2"
    )
    assert "; 1 of the prompts failed" in said.out
    assert json.loads(Path(f"{RESULTS}.run/self-check.json").read_text())["failed"] == ["1"]


def test_no_self_check_is_made_for_an_output_that_cannot_be_written():
    said = speclrm(f"{POCKET} --decoding window --self-check 2 --output-file out.csv")
    assert said.code == 2
    assert "Self-check" not in said.out
    assert not Path("out.csv.run").exists()


@pytest.mark.parametrize(
    ("pairs", "equal", "share", "low"),
    [
        ((((1, 2, 3), (1, 2, 3)),), 1, 1.0, False),
        ((((1, 2, 3, 4), (1, 2, 9)), ((5,) * 16, (5,) * 16)), 1, 0.9, False),
        ((((1, 2), (3, 2)), ((1, 2), (1, 2))), 1, 0.5, True),
        ((((1, 2), (1, 2, 3)),), 0, 1.0, False),
    ],
)
def test_agreement_is_the_share_of_tokens_before_the_first_difference(pairs, equal, share, low):
    agreement = Agreement({str(number): pair for number, pair in enumerate(pairs)})
    assert (agreement.equal, agreement.share, agreement.is_low) == (equal, share, low)
