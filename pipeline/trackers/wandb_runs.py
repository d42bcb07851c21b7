"""Runs in Weights & Biases: on its server where you are logged in, else in a folder `wandb`."""

import os
from collections.abc import Mapping
from typing import Any

import wandb

from pipeline.trackers.tracker import run_id

STEP = "attempts/recorded"


class WandbTracker:
    """One run in the project `speclrm`, or the one that WANDB_PROJECT names."""

    def __init__(self) -> None:
        """Nothing is written before it begins."""
        self._run: Any = None

    def begin(self, settings: Mapping[str, Any], name: str) -> None:
        """Open the run under its id; without a login nobody is asked for one."""
        mode = os.environ.get("WANDB_MODE")
        if mode is None:
            mode = "online" if wandb.login(prompt=False) else "offline"
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "speclrm"),
            id=run_id(settings, name),
            name=name,
            config=dict(settings),
            mode=mode,
            # Offline it would only warn: `wandb sync --append` joins sessions by their id.
            resume="allow" if mode == "online" else None,
            reinit="create_new",
            # By itself it would send the command line and the repository's address, which may
            # hold keys, and what is printed.
            settings=wandb.Settings(
                console="off", silent=True, x_disable_meta=True, disable_git=True, save_code=False
            ),
        )
        # Its own steps would begin anew with every session.
        self._run.define_metric("*", step_metric=STEP)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """One point of every metric."""
        self._run.log({**metrics, STEP: step})

    def finish(self) -> None:
        """Send what is left."""
        self._run.finish()
