"""The options of the models' engines: each stands once, for the target, and with the name of its
role before it (`--draft-model`) for every other model.
"""

from collections.abc import Mapping
from typing import Any

import click

from pipeline.cli.finite import FiniteRange
from pipeline.engines import automatic, entries, entry, names, resolve_auto
from pipeline.engines.bundled_models import DRAFT, TARGET
from pipeline.engines.declaration import FIELDS, EngineOption, prefix_of
from pipeline.engines.settings import LOCAL_SECONDS, SERVER_SECONDS, EngineSettings
from pipeline.errors import UserMistake

BUNDLED = {"target": TARGET, "draft": DRAFT}
"""The models that answer where none is named; those of other roles are named."""
FEW = 2
"""An option that so many engines heed names them."""

SHARED = (
    EngineOption(
        name="model",
        type=str,
        help="Model folder, hub name, or the server's name for it.",
        aliases=("model-name",),
    ),
    EngineOption(name="revision", type=str, help="Hub revision of the model."),
    EngineOption(name="tokenizer", type=str, help="Tokenizer, if not the model's own."),
    EngineOption(name="engine", type=str, help="What runs the model"),
    EngineOption(
        name="request_timeout",
        type=float,
        help="Seconds a request may take.",
        draft_default=SERVER_SECONDS,
        above=0,
        unset=f"{SERVER_SECONDS:g} for a server, else {LOCAL_SECONDS:g}",
    ),
    EngineOption(
        name="dtype", type=str, help="Type of the weights; auto: float32 on a CPU.", default="auto"
    ),
    EngineOption(
        name="max_model_len", type=int, help="Context in tokens, if not the model's own.", least=1
    ),
    EngineOption(
        name="devices",
        type=str,
        help="GPUs to use, as in CUDA_VISIBLE_DEVICES; cpu: none.",
    ),
    EngineOption(
        name="trust_remote_code",
        type=bool,
        help="Run code that comes with the model.",
        default=False,
    ),
)
"""What several engines heed."""


def engine_options(role: str) -> list[click.Option]:
    """The options of the engine of the model of that role.

    Raises:
        UserMistake: two engines have an option of the same name.
    """
    return [_click_option(role, option) for option in _options().values()]


def engine_settings(values: Mapping[str, Any], role: str, given: set[str]) -> EngineSettings:
    """The settings that the options ask for; `given` are those on the command line.

    Raises:
        UserMistake: one is missing, or has no effect with this engine.
    """
    prefix, options = prefix_of(role), _options()
    chosen = {name: values[_value_name(role, name)] for name in options}
    engine = chosen["engine"] or values["engine"]  # that of other models defaults to --engine
    known = entry(resolve_auto() if engine == "auto" else engine)
    for name, option in options.items():
        if _value_name(role, name) in given and not known.heeds(name):
            raise UserMistake(
                f"--{prefix}{option.flag} has no effect with --{prefix}engine {known.name}; "
                f"drop it, or choose {' or '.join(sorted(_users(name)))}."
            )
    for name, example in known.requires.items():
        if chosen[name] is None:
            raise UserMistake(
                f"--{prefix}engine {known.name} needs --{prefix}{options[name].flag}, {example}."
            )
    if known.model is not None and _value_name(role, "model") not in given:
        chosen["model"] = known.model  # not the bundled one's name, which answers nothing here
    if chosen["model"] is None:
        raise UserMistake(f"Name the model that is the {role} with --{prefix}model.")
    own = {one.name: chosen[one.name] for one in known.options if one.name not in FIELDS}
    shared = {name: value for name, value in chosen.items() if name in FIELDS}
    return EngineSettings(**shared | {"engine": known.name, "own": own})


def is_named(role: str, given: set[str]) -> bool:
    """Whether the command line says which model has that role."""
    return _value_name(role, "model") in given


def _options() -> dict[str, EngineOption]:
    """The options of all engines by name."""
    options = {option.name: option for option in SHARED}
    for engine in entries().values():
        for option in engine.options:
            if options.setdefault(option.name, option) != option:
                raise UserMistake(
                    f"The engine {engine.name} cannot have the option --{option.flag}: another "
                    "engine has one of that name, which means something else; uninstall one of "
                    "the two."
                )
    return options


def _click_option(role: str, option: EngineOption) -> click.Option:
    default = option.default_for(role)
    if option.name == "model":
        default = BUNDLED.get(role)
    if option.name == "engine":
        default = "auto" if role == "target" else None
    whose = "" if role == "target" else f"{role.replace('_', ' ').capitalize()}: "
    return click.Option(
        [
            *(f"--{prefix_of(role)}{name}" for name in (option.flag, *option.aliases)),
            _value_name(role, option.name),
        ],
        type=_click_type(option),
        default=default,
        show_default=default is not None or option.unset or False,
        help=whose + _help(option),
    )


def _help(option: EngineOption) -> str:
    if option.name == "engine":
        autos = " if it is installed, else ".join(one.name for one in automatic())
        return f"{option.help}; auto: {autos}."
    users = _users(option.name)
    return f"{option.help[:-1]} ({', '.join(users)})." if len(users) <= FEW else option.help


def _click_type(option: EngineOption) -> Any:
    if option.name == "engine":
        return click.Choice(["auto", *names()])
    if option.choices:
        return click.Choice(option.choices)
    if option.type is float:
        least = option.least if option.above is None else option.above
        return FiniteRange(min=least, max=option.most, min_open=option.above is not None)
    if option.type is int:
        least, most = (None if end is None else int(end) for end in (option.least, option.most))
        return click.IntRange(min=least, max=most)
    return option.type if option.type in {str, bool} else click.Path(path_type=option.type)


def _users(name: str) -> list[str]:
    return [engine.name for engine in entries().values() if engine.heeds(name)]


def _value_name(role: str, name: str) -> str:
    return name if role == "target" else f"{role}_{name}"
