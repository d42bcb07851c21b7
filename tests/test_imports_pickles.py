"""A foreign pickle is read without running anything of its own, or refused."""

import errno
import os
import pickle
import pickletools
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
from foreign_results import RIGHT, dump, ssr_spec, step
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserMistake
from pipeline.imports import unpickle
from pipeline.imports.fields import CorruptEntry
from pipeline.imports.unpickle import load_plain


class Attack:
    """Would run a shell command when it is unpickled the usual way."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_nothing_of_it_runs(bring, tmp_path, protocol):
    record = ssr_spec({"A1": [step(RIGHT)]}, note=Attack(tmp_path / "ran"))
    said, run = bring("ssr", dump(record, tmp_path / "60-0.pickle", protocol))
    assert (said.code, run.exists(), (tmp_path / "ran").exists()) == (2, False, False)
    assert "system, which no result of these scripts does; none of it was run" in said.sentence


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02cbuiltins\neval\nU\x011\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x011\x85R.",
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
    ],
    ids=["global", "inst", "eval", "stack-global", "extension", "persistent"],
)
def test_every_way_of_naming_code_is_refused(tmp_path, program):
    with pytest.raises(UserMistake, match="none of it was run"):
        load_plain(_written(tmp_path, program))


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"\x80\x04]\x94",
        b"not a pickle",
        b"\x80\x04)" + b"2\x86" * 40 + b".",  # a pair of itself, forty times: 2**40 values
        b"\x80\x04})" + b"2\x86" * 40 + b"K\x01s.",  # the same as a key, which would be hashed
        b"\x80\x04]" + b"]" * 200 + b"a" * 200 + b".",
        b"\x80\x04]\x94h\x00a.",  # a list in itself
        b"\x80\x04Nr\xff\xff\xff\x7fh\x00.",  # the last place of a memo of two billion
    ],
    ids=["empty", "torn", "text", "doubling", "key", "deep", "endless", "memo"],
)
def test_what_no_program_dumped_is_corrupt_at_once(tmp_path, program):
    with pytest.raises(CorruptEntry, match=r"not a complete pickle|too many values"):
        load_plain(_written(tmp_path, program))


def test_a_huge_file_is_not_read(tmp_path):
    file = tmp_path / "60-0.pickle"
    with file.open("wb") as out:
        out.truncate(10**9)
    with pytest.raises(CorruptEntry, match="1,000,000,000 bytes, more than the"):
        load_plain(file)


MANY_OBJECTS = {
    "lists": b"]",
    "sets": b"\x8f",
    "dicts": b"}",
    "remembered lists": b"]\x94",
    "numbers": b"K\x01",
    "pushed and dropped": b"]0",
    "marks": b"(",
}


@pytest.mark.parametrize("piece", MANY_OBJECTS.values(), ids=MANY_OBJECTS)
def test_a_pickle_of_many_objects_is_refused_before_more_than_the_allowed_are_made(
    tmp_path, monkeypatch, piece
):
    decoded = []

    def counted(content):
        for operation in genops(content):
            decoded.append(operation[0].name)
            yield operation

    genops = pickletools.genops
    monkeypatch.setattr(unpickle.pickletools, "genops", counted)
    monkeypatch.setattr(unpickle, "MAX_VALUES", 1000)
    with pytest.raises(CorruptEntry, match="more than 1,000 operations"):
        load_plain(_written(tmp_path, b"\x80\x04(" + piece * 20_000 + b"l."))
    assert len(decoded) == 1001


def test_a_large_attempt_is_far_from_what_is_refused(tmp_path):
    steps = [{"text": "a b " * 60, "score": 7.0, "tokens": i, "time": i + 0.5} for i in range(400)]
    record = {"tracks": [[dict(step) for step in steps] for _ in range(16)]}
    content = pickle.dumps(record)
    assert sum(1 for _ in pickletools.genops(content)) < unpickle.MAX_VALUES / 4
    assert load_plain(_written(tmp_path, content)) == record


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_and_numbers_are_what_they_were(tmp_path, protocol):
    value = {
        "ordered": OrderedDict(a=1),
        "counts": Counter("aab"),
        "default": defaultdict(list, {"a": [1]}),
        "sets": [{1, 2}, frozenset({3})],
        "bytes": b"\x00\xff",
        "numpy": [np.float64(0.5), np.int32(-3), np.bool_(True), np.dtype(">f8").type(2.5)],
    }
    file = tmp_path / "60-0.pickle"
    file.write_bytes(pickle.dumps(value, protocol=protocol))
    assert load_plain(file) == value


def test_objects_of_other_packages_become_empty_placeholders(tmp_path):
    file = tmp_path / "60-0.pickle"
    file.write_bytes(pickle.dumps({"array": np.arange(3), "kept": 1}, protocol=4))
    loaded = load_plain(file)
    assert (type(loaded["array"]).__name__, loaded["kept"]) == ("Placeholder", 1)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside) | st.tuples(inside),
    max_leaves=20,
)


@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_survive_every_protocol(tmp_path_factory, value, protocol):
    content = pickle.dumps(value, protocol=protocol)
    assert load_plain(_written(tmp_path_factory.mktemp("plain"), content)) == value


@given(content=st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused_by_the_files_name(tmp_path_factory, content):
    file = _written(tmp_path_factory.mktemp("bytes"), content)
    try:
        load_plain(file)
    except (CorruptEntry, UserMistake) as refusal:
        assert file.name in str(refusal)  # noqa: PT017 - most bytes are refused, not all


def test_a_file_that_the_disk_does_not_give_is_no_corrupt_attempt(bring, tmp_path, monkeypatch):
    def fail(_file):
        raise PermissionError(errno.EACCES, "Permission denied")

    file = dump(ssr_spec({"A1": [step(RIGHT)]}), tmp_path / "60-0.pickle")
    monkeypatch.setattr(type(file), "read_bytes", fail)
    said, run = bring("ssr", file)
    assert (said.code, run.exists()) == (2, False)
    assert "Permission denied" in said.sentence


def _written(folder, content):
    file = folder / "60-0.pickle"
    file.write_bytes(content)
    return file
