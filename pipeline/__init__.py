"""Run math-reasoning experiments: `pipeline.run`, `pipeline.plan`, `pipeline.grade_run`, and
`pipeline.merge` for shards of a run, `pipeline.staged`, `pipeline.unstage` and `pipeline.copies`
for the folders of runs in a store; answer prompts: `pipeline.generate`.

The names are loaded when first used, so that `import pipeline` is quick.
"""

import importlib

# Type checkers take it for true. Importing it from `typing` takes longer than all else that happens
# before `pipeline.__main__` can answer Ctrl-C.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from pipeline.engines.settings import EngineSettings
    from pipeline.experiment import Experiment
    from pipeline.generating.generation import generate
    from pipeline.generating.settings import Generation
    from pipeline.review.grading import grade_run
    from pipeline.runs.merging import merge
    from pipeline.runs.planning import plan
    from pipeline.runs.runner import run
    from pipeline.runs.stored_runs import copies, staged
    from pipeline.runs.unstaging import unstage
    from pipeline.shards import Shard

__all__ = [
    "EngineSettings",
    "Experiment",
    "Generation",
    "Shard",
    "copies",
    "generate",
    "grade_run",
    "merge",
    "plan",
    "run",
    "staged",
    "unstage",
]

_HOMES = {
    "EngineSettings": "pipeline.engines.settings",
    "Experiment": "pipeline.experiment",
    "Generation": "pipeline.generating.settings",
    "generate": "pipeline.generating.generation",
    "grade_run": "pipeline.review.grading",
    "merge": "pipeline.runs.merging",
    "plan": "pipeline.runs.planning",
    "copies": "pipeline.runs.stored_runs",
    "run": "pipeline.runs.runner",
    "staged": "pipeline.runs.stored_runs",
    "unstage": "pipeline.runs.unstaging",
    "Shard": "pipeline.shards",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
