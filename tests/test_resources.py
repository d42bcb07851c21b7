import subprocess
import sys
from pathlib import Path

from pipeline.resources import datasets_dir, pocket_dir, prompts_dir

ROOT = Path(__file__).resolve().parent.parent


def test_data_folders_lie_beside_the_package_in_a_checkout() -> None:
    assert datasets_dir() == ROOT / "datasets"
    assert prompts_dir() == ROOT / "prompts"
    assert pocket_dir() == ROOT / "pipeline" / "pocket"


def test_data_folders_are_found_inside_the_package_when_installed(tmp_path: Path) -> None:
    package = tmp_path / "pipeline"
    (package / "datasets").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "resources.py").write_text((ROOT / "pipeline" / "resources.py").read_text())
    code = "from pipeline.resources import datasets_dir; print(datasets_dir())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == (package / "datasets").resolve()


def test_the_datasets_folder_does_not_shadow_hugging_face_datasets() -> None:
    assert not (ROOT / "datasets" / "__init__.py").exists()
    code = "import importlib.util as u; print(u.find_spec('datasets').origin)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).parent.parent != ROOT
    assert done.stdout.strip().endswith("__init__.py")
