"""Configs of `speclrm measure`: every key is honoured, or refused with what was probably meant."""

import json
from pathlib import Path

import pytest

from pipeline.errors import UserMistake
from pipeline.measuring.ask import Ask
from pipeline.measuring.asking import all_asked
from pipeline.measuring.config import Config
from pipeline.measuring.config_file import without_comments
from pipeline.measuring.config_keys import KEYS
from pipeline.measuring.config_reading import read_config
from pipeline.measuring.table import DECODERS, OTHER_WORDS, decoder_named, methods_of

LEAST = {"main_model": "pocket-target", "prompts": ["1+1="]}


def config(folder: Path, text: str, name: str = "c.json") -> Config:
    file = folder / name
    file.write_text(text)
    return read_config(file)


def of(folder: Path, **more: object) -> Config:
    return config(folder, json.dumps(LEAST | more))


def test_the_documents_defaults_hold(tmp_path):
    it = of(tmp_path)
    assert (it.max_new_tokens, it.temperature, it.top_p, it.top_k) == (150, 0.7, 0.9, 50)
    assert (it.num_completions, it.batch_size, it.cache_implementation) == (3, 4, "dynamic")
    assert not it.use_quantization
    assert not it.use_flash_attention


def test_every_key_of_a_file_is_a_field_and_every_field_a_key():
    files_only = {"prompts_file"}
    assert set(KEYS) == set(Config.__dataclass_fields__) | files_only


def test_comments_end_with_their_line_and_begin_in_no_text(tmp_path):
    it = config(
        tmp_path,
        '// first\n{"main_model": "http://x//y", // why not\n'
        '"prompts": ["say \\"// this\\" twice"] // end\n}',
    )
    assert it.main_model == "http://x//y"
    assert it.prompts[0].asked == 'say "// this" twice'


def test_what_is_taken_out_moves_no_line():
    text = '{ // a\n"a": 1, // b\n"b": "// c"}'
    assert len(without_comments(text)) == len(text)
    assert without_comments(text).count("\n") == 2


def test_toml_says_the_same(tmp_path):
    text = 'main_model = "pocket-target"\nprompts = ["1+1="]\nnum_completions = [2]\n'
    assert config(tmp_path, text, "c.toml").num_completions == (2,)


MISTAKES = {
    '"tempratur": 1': "line 2: there is no key 'tempratur'; did you mean 'temperature'?",
    '"seeds": [1]': "did you mean 'seed'?",
    '"temperature": -1': "line 2: temperature is -1; it must be a number from 0 to 2.",
    '"temperature": true': "temperature is true",
    '"top_p": 0': "top_p is 0",
    '"top_k": 1.5': "top_k is 1.5",
    '"num_completions": [1, 2]': "num_completions lists 2 numbers for 1 prompts.",
    '"num_completions": [0]': "num_completions is [0]",
    '"num_completions": [true]': "num_completions is [True]",
    '"num_completions": [1.0]': "num_completions is [1.0]",
    '"batch_size": 0': "batch_size is 0",
    '"batch_size": null': "batch_size is null",
    '"methods_to_test": ["standrad"]': "did you mean standard",
    '"methods_to_test": []': "null means all",
    '"methods_to_test": ["simple", "standard"]': "standard stands there twice",
    '"methods_to_test": [3]': "There is no decoder '3'",
    '"cache_implementation": "statik"': "did you mean 'static'?",
    '"device": "tpu"': "it is auto, cpu, cuda or cuda:N",
    '"problem_id": "first:3"': "problem_id has no effect here",
    '"prompts": [""]': "it must be a text",
    '"prompts": []': "line 2: there is no prompt",
    '"prompts": [{"prompt": "a", "id": "x"}, {"prompt": "b", "id": "x"}]': "has the id 'x'",
    '"dataset": "pocket"': "has prompts and dataset to ask",
    '"main_model": ""': "main_model is ''",
    '"main_model": "a", "main_model": "b"': "'main_model' stands there twice",
    '"num_assistant_tokens": 4': "num_assistant_tokens has no effect without assistant_model",
    '"use_flash_attention": true, "attention": "eager"': "beside use_flash_attention",
    '"use_speculative_decoding": false, "methods_to_test": ["standard_speculative"]': (
        "use_speculative_decoding is false"
    ),
    '"temperature": NaN': "NaN is no value",
    '"temperature": ': "line 3: this is not JSON",
}


@pytest.mark.parametrize(("wrong", "sentence"), MISTAKES.items())
def test_a_mistake_is_named_with_its_line(tmp_path, wrong, sentence):
    rest = {name: one for name, one in LEAST.items() if f'"{name}"' not in wrong}
    begun = json.dumps(rest)[1:-1]
    with pytest.raises(UserMistake) as said:
        config(tmp_path, "{" + (begun + ", " if begun else "") + f"\n{wrong}\n}}")
    assert sentence in str(said.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("c.yaml", b"a: 1"), ("c.json", b"\xff\xfe"), ("c.json", b"[1]"), ("c.toml", b"= 1")],
)
def test_what_is_no_config_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserMistake):
        read_config(tmp_path / name)


def test_a_folder_or_nothing_is_refused(tmp_path):
    (tmp_path / "d.json").mkdir()
    for name in ("d.json", "none.json"):
        with pytest.raises(UserMistake):
            read_config(tmp_path / name)


def test_null_means_all_and_those_with_an_assistant_where_there_is_one(tmp_path):
    with_one = of(tmp_path, methods_to_test=None, assistant_model="pocket-draft")
    assert methods_of(with_one) == tuple(DECODERS)
    without = methods_of(of(tmp_path, methods_to_test=None))
    assert {"standard", "beam_search", "batched", "nucleus_sampling"} <= {*without}
    assert not any(name.endswith("_speculative") for name in without)


def test_the_documents_other_names_are_known(tmp_path):
    assert methods_of(of(tmp_path, methods_to_test=["simple", "beam", "nucleus"])) == (
        "standard",
        "beam_search",
        "nucleus_sampling",
    )


BATCHING = {
    "two prompts, three each, four a call": ({"e": 3, "d": 3}, ["eeed", "dd"]),
    "three prompts, 3, 2 and 3, four a call": ({"1": 3, "2": 2, "3": 3}, ["1112", "2333"]),
    "one prompt, eight, four a call": ({"p": 8}, ["pppp", "pppp"]),
}


@pytest.mark.parametrize(("counts", "calls"), BATCHING.values(), ids=BATCHING)
def test_batches_are_those_of_the_documents(counts, calls):
    asks = [Ask(name, n, (1,), 0, 5) for name, count in counts.items() for n in range(count)]
    cut = decoder_named("batched").cut(asks, 4)
    assert ["".join(ask.prompt_id for ask in call) for call in cut] == calls
    assert [ask for call in cut for ask in call] == asks


def test_beams_are_cut_by_prompt_whatever_the_batch_size():
    asks = [Ask(name, n, (1,), 0, 5) for name in "ab" for n in range(3)]
    assert [len(call) for call in decoder_named("beam_search").cut(asks, 2)] == [3, 3]


def test_a_beam_search_never_has_one_beam_and_never_draws():
    beam = decoder_named("beam_search")
    assert beam.asks is not None
    for count, beams in ((1, 2), (2, 2), (5, 5)):
        asks = [Ask("p", n, (1,), 0, 5) for n in range(count)]
        given = beam.asks(None, asks)
        assert given == {
            "do_sample": False,
            "num_beams": beams,
            "num_return_sequences": count,
        }


def test_nucleus_sampling_has_its_own_numbers_and_leaves_the_others_theirs(tmp_path):
    it = of(tmp_path, temperature=0, top_p=0.5, top_k=7)
    drawn = decoder_named("nucleus_sampling").sampling(it)
    assert (drawn.temperature, drawn.top_p, drawn.top_k) == (0.8, 0.9, 7)
    plain = decoder_named("standard").sampling(it)
    assert (plain.temperature, plain.top_p, plain.top_k) == (0, 0.5, 7)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_is_named_as_the_table_says_and_holds_together(name):
    decoder = DECODERS[name]
    assert decoder.name == name
    decoder.check_declaration()
    assert decoder.plain is None or decoder.plain in DECODERS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"num_completions": 2000000', "it must be a whole number from 1 to 1,000,000, or a list"),
        ('"num_completions": [1e30]', "it must be a whole number"),
        ('"repeats": 99999999999999999999', "a whole number from 1 to 1,000,000."),
        ('"window": 4000000000', "a whole number from 2 to 1,000,000."),
        (r'"output_dir": "a\u0000b"', r"output_dir is 'a\x00b'; it must be a line of text."),
        (r'"revision": "a\nb"', "it must be a line of text."),
        (r'"prompts": ["\ud800 is half"]', "is half of a character"),
        (r'"revision": "\udc00"', "is half of a character"),
        (f'"revision": "{"a" * 5000}"', "revision has 5000 characters"),
        (f'"dtype": "{"a" * 5000}"', "it is one of auto"),
    ],
)
def test_what_no_machine_could_do_is_refused_in_a_short_line(tmp_path, text, said):
    key = text.partition(":")[0]
    least = [f'"{name}": {json.dumps(one)}' for name, one in LEAST.items() if f'"{name}"' != key]
    with pytest.raises(UserMistake) as mistake:
        config(tmp_path, f"{{{', '.join([*least, text])}}}")
    assert said in str(mistake.value)
    assert len(str(mistake.value)) < 400 + len(str(tmp_path))


def test_a_pair_of_escapes_that_is_one_character_is_read(tmp_path):
    assert of(tmp_path, prompts=["\U0001f600"]).prompts[0].asked == "\U0001f600"


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserMistake, match=r"device is cuda:97, and torch .* finds .* GPU"):
        all_asked(of(tmp_path, device="cuda:97"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [("greedy", "standard"), ("Assisted", "standard_speculative"), ("ngram", "prompt_lookup")],
)
def test_a_decoder_by_the_word_that_others_have_for_it_is_understood_as_a_mistake(said, meant):
    with pytest.raises(UserMistake, match=rf"There is no decoder '{said}' \(did you mean {meant}"):
        decoder_named(said)


def test_other_words_for_decoders_name_none_and_mean_one():
    assert OTHER_WORDS.keys().isdisjoint(DECODERS)
    assert {*OTHER_WORDS.values()} <= {*DECODERS}
