"""Where the data folders are: beside `pipeline/` in a checkout, inside it in an installed wheel.

Inside the wheel they may not lie at the top level, because a top-level `datasets` would mix with
Hugging Face's package of that name.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _data_dir(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def datasets_dir() -> Path:
    """The folder of dataset manifests and bundled rows, whatever the working directory is."""
    return _data_dir("datasets")


def prompts_dir() -> Path:
    """The folder that holds one folder of templates for each prompt set."""
    return _data_dir("prompts")


def examples_dir() -> Path:
    """The folder of the example configs of measurements."""
    return _data_dir("examples")


def pocket_dir() -> Path:
    """The folder of the bundled model pair: `target` and `draft` lie in it."""
    return _PACKAGE / "pocket"
