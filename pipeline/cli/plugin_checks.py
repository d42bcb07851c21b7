"""The doctor's checks of plug-ins: each is used as a run would use it, up to the first request."""

from collections.abc import Iterator

from pipeline import plugins
from pipeline.cli.engine_options import engine_entry
from pipeline.cli.findings import Finding, State
from pipeline.cli.reasoner_options import reasoner_entry
from pipeline.engines import ENGINES
from pipeline.errors import UserMistake
from pipeline.measuring.metrics import METRICS
from pipeline.measuring.table import decoder_named
from pipeline.problems.manifests import load_manifest
from pipeline.problems.problem_set import load_problems
from pipeline.problems.prompting import compile_prompts, open_prompt_set
from pipeline.reasoners.vote_rules import vote_rule
from pipeline.trackers import TRACKERS


def plugin_findings() -> Iterator[Finding]:
    """What other packages add, and of each whether it can be used."""
    offered = plugins.offered()
    if not offered:
        yield Finding(State.OK, "plug-ins", "none")
    for plugin in offered:
        try:
            _use(plugin.group, plugin.name)
        except UserMistake as error:
            yield Finding(State.FAILURE, "plug-in", plugin.title, str(error))
        else:
            yield Finding(State.OK, "plug-in", plugin.title)


def _use(group: plugins.Group, name: str) -> None:
    """Do what a run does with it before its first request.

    Raises:
        UserMistake: a run would be refused.
    """
    match group:
        case "reasoners":
            reasoner_entry(name)
        case "engines":
            engine = engine_entry(name)
            if engine.installed:  # the check of packages says of the others what they need
                with ENGINES.blamed(name):
                    engine.load_all()
        case "votes":
            vote_rule(name)
        case "datasets":
            if load_manifest(name).bundled is not None:  # others are on the hub, and may be large
                load_problems(name, None, seed=0)
        case "prompts":
            compile_prompts(open_prompt_set(name))
        case "decoders":
            decoder_named(name)
        case "metrics":
            METRICS.entry(name)
        case "trackers":
            tracker = TRACKERS.entry(name)
            if tracker.installed:
                with TRACKERS.blamed(name):
                    tracker.load()
