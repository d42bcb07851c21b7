"""The options of the models' engines: each stands once, for the target, and with the name of its
role before it (`--draft-model`) for every other model.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import click

from pipeline.cli.common_options import common_flags
from pipeline.cli.declared_options import NearChoice, click_type
from pipeline.declared_option import DeclaredOption
from pipeline.engines import ENGINES, automatic, resolve_auto
from pipeline.engines.bundled_models import DRAFT, TARGET
from pipeline.engines.declaration import FIELDS, EngineEntry, EngineOption, prefix_of
from pipeline.engines.sampling import OPTIONS as SAMPLING
from pipeline.engines.settings import LOCAL_SECONDS, SERVER_SECONDS, EngineSettings
from pipeline.errors import Misdeclared, UserMistake
from pipeline.experiment import TWO_ROLES
from pipeline.reasoners import REASONERS
from pipeline.registry import usable, usable_entry

BUNDLED = {"target": TARGET, "draft": DRAFT}
"""The models that answer where none is named; those of other roles are named."""
FEW = 2
"""An option that so many engines heed names them."""

SHARED = (
    EngineOption(
        name="model",
        type=str,
        help="Model folder, hub name, or the server's name for it.",
        aliases=("model_name", "model_path"),
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
        aliases=("device",),
    ),
    EngineOption(
        name="trust_remote_code",
        type=bool,
        help="Run code that comes with the model.",
        default=False,
    ),
    EngineOption(
        name="chat_template_kwargs",
        type=str,
        help='JSON object for the chat template, such as {"enable_thinking": false}.',
    ),
    EngineOption(
        name="reasoning_effort",
        type=str,
        help="How much to think, as the chat template or the server calls it: low, high.",
    ),
)
"""What several engines heed."""


def engine_entries() -> dict[str, EngineEntry | UserMistake]:
    """Every engine, or why the command line cannot take it.

    A plug-in's engine is refused an option that every run or a reasoner of ours has, or that an
    engine before it means otherwise: it would break that option for them.
    """
    ours = (one for name in REASONERS.built_in for one in REASONERS[name].options.values())
    taken = common_flags() | {flag for option in ours for flag in option.flags()}
    options = {option.name: option for option in SHARED}

    def check(engine: EngineEntry) -> None:
        for option in engine.options:
            others = [one for name, one in options.items() if name != option.name]
            clash = flags_of([option], TWO_ROLES) & (
                taken | flags_of((*others, *SAMPLING), TWO_ROLES)
            )
            if clash or options.get(option.name, option) != option:
                flag = min(clash, default=option.flag)
                raise Misdeclared(
                    f"its option {flag} has the name of one that means something else"
                )
        options.update({option.name: option for option in engine.options})

    return ENGINES.loaded(check)


def engine_entry(name: str) -> EngineEntry:
    """The engine of that name, which there is.

    Raises:
        UserMistake: the command line cannot take it.
    """
    return usable_entry(engine_entries(), name)


def model_options() -> list[DeclaredOption]:
    """What every model has options for, each once: all engines' options, and how it is sampled."""
    return [*_options(usable(engine_entries()).values()).values(), *SAMPLING]


def flags_of(options: Iterable[DeclaredOption], roles: Iterable[str]) -> set[str]:
    """The flags of options for the models of these roles."""
    prefixes = [prefix_of(role) for role in roles]
    return {flag for one in options for prefix in prefixes for flag in one.flags(prefix)}


def engine_options(role: str) -> list[click.Option]:
    """The options of the engine of the model of that role."""
    engines = usable(engine_entries()).values()
    return [_click_option(role, option, engines) for option in _options(engines).values()]


def engine_settings(values: Mapping[str, Any], role: str, given: set[str]) -> EngineSettings:
    """The settings that the options ask for; `given` are those on the command line.

    Raises:
        UserMistake: one is missing, or has no effect with this engine, or it cannot be used.
    """
    engines = usable(engine_entries()).values()
    prefix, options = prefix_of(role), _options(engines)
    chosen = {name: values[_value_name(role, name)] for name in options}
    engine = chosen["engine"] or values["engine"]  # that of other models defaults to --engine
    known = engine_entry(resolve_auto() if engine == "auto" else engine)
    for name, option in options.items():
        if _value_name(role, name) in given and not known.heeds(name):
            raise UserMistake(
                f"{option.flags(prefix)[0]} has no effect with --{prefix}engine {known.name}; "
                f"drop it, or choose {' or '.join(sorted(_users(name, engines)))}"
                f"{known.in_place_of(name, prefix)}."
            )
    for name, example in known.requires.items():
        if chosen[name] is None:
            raise UserMistake(
                f"--{prefix}engine {known.name} needs {options[name].flags(prefix)[0]}, {example}."
            )
    if known.model is not None and _value_name(role, "model") not in given:
        chosen["model"] = known.model  # not the bundled one's name, which answers nothing here
    if chosen["model"] is None:
        raise UserMistake(f"Name the model that is the {role} with --{prefix}model.")
    own = {one.name: chosen[one.name] for one in known.options if one.name not in FIELDS}
    # What other engines heed has defaults of theirs, which this one would refuse.
    shared = {name: one for name, one in chosen.items() if name in FIELDS and known.heeds(name)}
    return EngineSettings(**shared | {"engine": known.name, "own": own})


def is_named(role: str, given: set[str]) -> bool:
    """Whether the command line says which model has that role."""
    return _value_name(role, "model") in given


def option_names() -> list[str]:
    """The names of the options that a model's engine may have."""
    return list(_options(usable(engine_entries()).values()))


def _options(engines: Iterable[EngineEntry]) -> dict[str, EngineOption]:
    """The options of all engines by name."""
    return {one.name: one for one in SHARED} | {
        option.name: option for engine in engines for option in engine.options
    }


def _click_option(
    role: str, option: EngineOption, engines: Collection[EngineEntry]
) -> click.Option:
    default = option.default_for(role)
    if option.name == "model":
        default = BUNDLED.get(role)
    if option.name == "engine":
        default = "auto" if role == "target" else None
    whose = "" if role == "target" else f"{role.replace('_', ' ').capitalize()}: "
    of_engine = option.name == "engine"
    alone: dict[str, Any] = {"is_flag": False, "flag_value": True} if option.type is bool else {}
    return click.Option(
        [*option.flags(prefix_of(role)), _value_name(role, option.name)],
        **alone,
        type=NearChoice(["auto", *ENGINES]) if of_engine else click_type(option),
        default=default,
        multiple=option.repeatable,
        callback=_joined if option.repeatable else None,
        show_default=default is not None or option.unset or False,
        help=whose + _help(option, engines),
    )


def _joined(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> str | None:
    """What was given several times, as one value."""
    return "\n".join(given) or None


def _help(option: EngineOption, engines: Collection[EngineEntry]) -> str:
    if option.name == "engine":
        autos = " if it is installed, else ".join(one.name for one in automatic())
        return f"{option.help}; auto: {autos}."
    users = _users(option.name, engines)
    return f"{option.help[:-1]} ({', '.join(users)})." if len(users) <= FEW else option.help


def _users(name: str, engines: Collection[EngineEntry]) -> list[str]:
    return [engine.name for engine in engines if engine.heeds(name)]


def _value_name(role: str, name: str) -> str:
    return name if role == "target" else f"{role}_{name}"
