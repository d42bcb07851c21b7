"""What an environment is installed with is pinned, so that it is the one that was tested."""

import configparser
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PINNED_BY_VLLM = {"numpy", "packaging", "setuptools", "torch", "transformers"}
LEFT_OUT = {"torchaudio", "torchcodec", "torchvision"}
"""Of the CUDA torch; the installation takes them away again."""


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / "packaging" / file).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def asked(*extras: str) -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    texts = [setup["options"]["install_requires"]]
    texts += [setup["options.extras_require"][extra] for extra in extras]
    return [Requirement(line) for text in texts for line in text.split("\n") if line.strip()]


def needed(asked: list[Requirement]) -> Iterator[str]:
    """All that these need in turn, as the packages say that are installed here."""
    seen, todo = set(), list(asked)
    while todo:
        one = todo.pop()
        key = canonicalize_name(one.name), frozenset(one.extras)
        if key in seen:
            continue
        seen.add(key)
        yield key[0]
        try:
            further = [Requirement(line) for line in requires(one.name) or ()]
        except PackageNotFoundError:
            continue
        todo += [
            each
            for each in further
            if each.marker is None
            or any(each.marker.evaluate({"extra": extra}) for extra in ("", *one.extras))
        ]


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-cpu.txt"])
def test_pins_are_in_order_and_each_is_one(file):
    text = (ROOT / "packaging" / file).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == sorted(lines, key=lambda line: (line.split("=")[0], line))
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.+]+", line)] == []
    assert len(lines) == len({line.split("==")[0] for line in lines})


def test_all_that_the_tests_need_is_pinned_for_the_cpu():
    have = set(needed(asked("cpu", "dev")))
    assert have - pins("constraints-cpu.txt").keys() - LEFT_OUT == set()


def test_all_that_is_asked_for_is_pinned_elsewhere_unless_vllm_does():
    have = {canonicalize_name(one.name) for one in asked("dev")}
    assert have - pins("constraints.txt").keys() == PINNED_BY_VLLM & have
    cpu = pins("constraints-cpu.txt")
    alike = {name: cpu[name] for name in pins("constraints.txt")}
    assert pins("constraints.txt") == alike
