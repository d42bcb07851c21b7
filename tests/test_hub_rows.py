import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserMistake
from pipeline.problems.hub import hub_rows
from pipeline.problems.manifests import HubSource

HUB = HubSource("Owner/things", None, "train", "c0ffee")
LOAD = """
import sys
from pathlib import Path
from pipeline.errors import UserMistake
from pipeline.problems.problem_set import load_problems
try:
    load_problems(sys.argv[1], None, seed=0, refs_dir=Path(sys.argv[2]))
except UserMistake as mistake:
    print(mistake)
"""


class GatedRepoError(Exception):
    pass


class DatasetNotFoundError(FileNotFoundError):
    pass


class TransportError(Exception):
    pass


class ConnectTimeoutError(TransportError):
    pass


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (GatedRepoError("401"), "things is gated: accept its terms at https://.* set HF_TOKEN"),
        (DatasetNotFoundError("Dataset 'x' is a gated dataset"), "things is gated"),
        (
            DatasetNotFoundError("doesn't exist"),
            "the hub has no Owner/things at the requested commit",
        ),
        (ConnectionError("no route"), "the Hugging Face hub is unreachable"),
        (ConnectTimeoutError("10 s"), "the Hugging Face hub is unreachable"),
        (ImportError("No module named 'datasets'"), "pip install datasets"),
        (OSError("disk full"), r"could not be loaded from the Hugging Face hub \(OSError\)"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, what: str
) -> None:
    def refuse(hub: HubSource, known: str | None) -> None:
        raise error

    monkeypatch.setattr("pipeline.problems.hub._load", refuse)
    with pytest.raises(UserMistake, match=what) as caught:
        hub_rows("things", HUB, tmp_path)
    assert "--dataset things --data-file FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["aime", "aime25", "gpqa"])
def test_without_a_network_and_a_cache_the_way_out_is_a_data_file(
    tmp_path: Path, name: str
) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, name, str(tmp_path)],
        env={**os.environ, **nowhere, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert f"dataset {name}: the Hugging Face hub is unreachable" in done.stdout
    assert f"--dataset {name} --data-file FILE" in done.stdout
    assert len(done.stdout.splitlines()) == 1
