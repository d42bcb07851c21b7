"""`speclrm generate`: prompts of the user's own, each answered once."""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pipeline import engines
from pipeline.cli.branch_options import OPTIONS as BRANCH_OPTIONS
from pipeline.cli.branch_options import branching_of
from pipeline.cli.generate_shards import OPTIONS as SHARD_OPTIONS
from pipeline.cli.generate_shards import (
    Part,
    ShardedCommand,
    generate_in_shards,
    merge_when_last,
    merged,
    refuse_together,
)
from pipeline.cli.generation_options import (
    DO_SAMPLE,
    MAX_NEW_TOKENS,
    SEED,
    model_of,
    model_options,
    sampling_of,
)
from pipeline.cli.layout_print import print_layout
from pipeline.cli.options import given_options
from pipeline.cli.progress import live_progress
from pipeline.cli.run_folders import LocalPath
from pipeline.cli.streaming import heading, shown_answers
from pipeline.cli.terminal import counted, echo, json_line
from pipeline.engines.launch import environment
from pipeline.engines.settings import BRANCHES, PLAIN, REFINE, EngineSettings
from pipeline.errors import RUN_STOPPED, SOME_FAILED, UserMistake
from pipeline.generating.answers import ENGINE_LOG, SELF_CHECK
from pipeline.generating.generation import Summary, generate
from pipeline.generating.prompts import Prompt, from_texts, read_prompts
from pipeline.generating.self_check import self_check as measured
from pipeline.generating.settings import Generation
from pipeline.generating.shard_files import shard_file
from pipeline.runs.directory import replace_file

UNCHECKED = (
    "Warning: --decoding refine keeps tokens that the model has not verified; --self-check 5 says "
    "how far its answers are the model's own."
)
UNTRAINED = (
    "Warning: --branch-mode columnar lets branches see each other, so a model that was not trained "
    "for it writes something else; --self-check 5 says how far its answers are its own."
)
ROUNDED = (
    "Where two tokens are nearly as likely, the other one is chosen as sums over other shapes are "
    "rounded otherwise; --dtype float32 makes that very rare."
)
LOSSY = {
    REFINE: (
        "--decoding refine",
        "--decoding window, more --refine-rounds, a smaller --append-eos, or a model trained to it",
    ),
    BRANCHES: (
        "--branch-mode columnar",
        "--branch-mode isolated, or a model or adapter trained for columns",
    ),
}
"""Ways that may write another text than the model's own, and what to do about it."""
EFFORT = ("forwards", "computed", "rounds", "unverified")
"""What a shown answer tells of the work, where the engine says it."""


OWN = (
    click.Argument(["further_prompts"], metavar="", nargs=-1),
    click.Option(["--prompt"], multiple=True, help="A prompt; may be given several times."),
    click.Option(
        ["--prompts"], multiple=True, metavar="TEXT...", help="Several prompts, one after another."
    ),
    click.Option(
        ["--prompts-file", "--data-path"],
        type=click.Path(path_type=Path),
        help="A .txt file of lines, or a .json, .jsonl, .csv or .parquet file.",
    ),
    click.Option(
        ["--output-file", "--out-path"],
        type=LocalPath(path_type=Path),
        default=Path("inference_results.jsonl"),
        show_default=True,
        help="Where the answers go: a .jsonl or a .json file.",
    ),
    click.Option(
        ["--batch-size"],
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Prompts in flight; for transformers, rows of one forward.",
    ),
    click.Option(
        ["--batch-by-samples"],
        is_flag=True,
        help="Count sequences of branches in --batch-size, not prompts.",
    ),
    MAX_NEW_TOKENS,
    click.Option(
        ["--max-length"],
        type=click.IntRange(1),
        default=8192,
        show_default=True,
        help="Tokens that prompt and answer may have together.",
    ),
    click.Option(
        ["--use-chat-template", "--chat-template"],
        is_flag=True,
        help="Ask a text as a chat, by the model's template.",
    ),
    click.Option(
        ["--max-display"],
        type=click.IntRange(0),
        default=5,
        show_default=True,
        help="Answers that are printed at the end.",
    ),
    click.Option(["--trace"], is_flag=True, help="Tell the rounds in which blocks were refined."),
    click.Option(
        ["--self-check"],
        type=click.IntRange(1),
        metavar="K",
        help="Compare with plain decoding on the first K prompts before anything is answered.",
    ),
    click.Option(
        ["--force"], is_flag=True, help="Go on with a model that --self-check finds unsuited."
    ),
    click.Option(
        ["--stream", "--streaming"],
        is_flag=True,
        help="Show answers as they grow: live in a terminal, else line by line.",
    ),
    DO_SAMPLE,
    *SHARD_OPTIONS,
    click.Option(["--retry-errors"], is_flag=True, help="Ask prompts again that failed."),
    click.Option(["--overwrite"], is_flag=True, help="Answer all prompts anew."),
    SEED,
)


@click.command(
    "generate",
    cls=ShardedCommand,
    params=[*OWN, *BRANCH_OPTIONS, *model_options()],
    context_settings={"help_option_names": ["-h", "--help"]},
)
def generate_command(  # the click boundary: options arrive as keywords
    *,
    prompt: tuple[str, ...],
    prompts: tuple[str, ...],
    further_prompts: tuple[str, ...],
    prompts_file: Path | None,
    output_file: Path,
    max_display: int,
    self_check: int | None,
    force: bool,
    retry_errors: bool,
    overwrite: bool,
    stream: bool,
    shard: str | None,
    **values: Any,
) -> None:
    """Answer prompts of your own, one file of answers.

    \b
    speclrm generate --model MODEL --prompt "What is 7 times 8?" --use-chat-template
    speclrm generate --model MODEL --prompts "What is 7?" "What is 8?"
    speclrm generate --model MODEL --prompts-file questions.jsonl --batch-size 8
    speclrm generate --model MODEL --prompts-file questions.jsonl --shards 8

    Repeating the command asks only what has no answer yet. A prompt that begins with a dash
    stands after all options and `--`.
    """  # noqa: D301 - click wants the control character \\b, which keeps the lines apart
    asked = _prompts(prompt, prompts, further_prompts, prompts_file)
    generation, part = _generation(values), Part.of(shard, os.environ)
    mine = {"overwrite": overwrite, "self_check": self_check, "stream": stream}
    refuse_together(part, values | mine)
    # The processes of --shards are given --quiet beside what was typed.
    _refuse_beside(overwrite=overwrite, quiet=values["quiet"] and part.shard is None)
    quiet = values["quiet"] or part.leaves_telling
    if not quiet:
        target = shard_file(output_file, part.shard)
        _announce(generation, asked, target, layout=values["print_layout"])
    _refuse_idle(generation, self_check, force=force, quiet=quiet)

    def check(folder: Path) -> None:
        if self_check is not None:
            _check(generation, asked[:self_check], folder, force=force)

    if values["merge"]:
        summary = merged(generation, asked, output_file)
    elif values["shards"] > 1:
        summary = generate_in_shards(
            generation,
            asked,
            output_file,
            values["shards"],
            retry_errors=retry_errors,
            overwrite=overwrite,
            quiet=quiet,
        )
    else:
        showing = shown_answers() if stream else contextlib.nullcontext()
        with environment(part.own_gpu(generation.model)), showing as hear:
            summary = generate(
                generation,
                asked,
                output_file,
                retry_errors=retry_errors,
                overwrite=overwrite,
                display=None if stream or quiet else live_progress,
                check=check,
                hear=hear,
                shard=part.shard,
            )
    is_merged = part.shard is not None and merge_when_last(generation, asked, output_file)
    shown_before = stream and "max_display" not in given_options()
    if not quiet:
        written = output_file if is_merged else shard_file(output_file, part.shard)
        _print_answers(summary, 0 if shown_before else max_display, written)
    _end(summary, is_rank=part.is_rank)


def _announce(
    generation: Generation, asked: tuple[Prompt, ...], output: Path, *, layout: bool
) -> None:
    """Say what is about to be asked, and where its tokens lie."""
    echo(
        f"{counted(len(asked), 'prompt')} with {generation.model.model} through "
        f"{generation.model.engine}, into {output}",
        err=True,
    )
    if layout:
        print_layout(generation, asked)


def _prompts(
    single: tuple[str, ...],
    several: tuple[str, ...],
    further: tuple[str, ...],
    file: Path | None,
) -> tuple[Prompt, ...]:
    given = {"--prompt": single, "--prompts": several, "--prompts-file": file}
    sources = [name for name, value in given.items() if value]
    if not several and further:
        raise UserMistake(f"What is {further[0]!r}? Prompts stand after --prompt or --prompts.")
    if len(sources) != 1:
        raise UserMistake(
            f"{' and '.join(sources) or 'Nothing'} gives the prompts; give exactly one of "
            f"{', '.join(given)}."
        )
    if file is not None:
        return read_prompts(file)
    return from_texts((*single, *several, *further), sources[0])


def _generation(values: Mapping[str, Any]) -> Generation:
    given = given_options()
    model = model_of(values, given)
    branching = branching_of(values, given, model.decoding)
    return Generation(
        model=replace(_with_rows(model, values["batch_size"]), branching=branching),
        sampling=sampling_of(values, given),
        seed=values["seed"],
        max_new_tokens=values["max_new_tokens"],
        max_length=values["max_length"],
        chat_template=values["use_chat_template"],
        batch_size=values["batch_size"],
        batch_by_samples=values["batch_by_samples"],
        trace=values["trace"],
        likeliest=values["print_topk"],
    )


def _refuse_beside(*, overwrite: bool, quiet: bool) -> None:
    """Refuse options that have no effect beside a flag."""
    given = given_options()
    if overwrite and "retry_errors" in given:
        raise UserMistake("--overwrite answers failed prompts, too; drop --retry-errors, or it.")
    if quiet and "max_display" in given:
        raise UserMistake("--max-display has no effect with --quiet; drop one of them.")


def _refuse_idle(generation: Generation, checked: int | None, *, force: bool, quiet: bool) -> None:
    """Refuse what has no effect with this way of decoding; warn of unverified tokens."""
    decoding, lossy = generation.model.decoding, generation.model.is_lossy
    if generation.trace and decoding != REFINE:
        raise UserMistake(f"--trace has no effect with --decoding {decoding}; drop it.")
    if generation.batch_by_samples and decoding != BRANCHES:
        raise UserMistake(
            f"--batch-by-samples has no effect with --decoding {decoding}, which has no groups of "
            f"branches; drop it, or choose --decoding {BRANCHES}."
        )
    if generation.model.gather is not None and generation.batch_size == 1:
        raise UserMistake(
            f"--gather {generation.model.gather} has no effect with one prompt in flight; give a "
            "--batch-size of 2 or more, or drop it."
        )
    if checked is None and lossy and not quiet:
        echo(UNCHECKED if decoding == REFINE else UNTRAINED, err=True)
    if checked is not None and decoding == PLAIN:
        raise UserMistake("--self-check compares with plain decoding, and this is plain; drop it.")
    if force and (checked is None or not lossy):
        raise UserMistake(
            "--force has no effect without --self-check and --decoding refine or --branch-mode "
            "columnar; drop it. (It is --overwrite that answers anew.)"
        )


def _check(
    generation: Generation, prompts: tuple[Prompt, ...], folder: Path, *, force: bool
) -> None:
    """Measure and write down the agreement with plain decoding; refuse a low one."""
    agreement = measured(generation, prompts, folder / ENGINE_LOG)
    echo(f"Self-check: {agreement.in_words}.")
    if not generation.model.is_lossy and agreement.share < 1:
        echo(ROUNDED, err=True)
    record = {"settings": generation.identity, **agreement.record}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    replace_file(folder / SELF_CHECK, text.encode())
    if generation.model.is_lossy and agreement.is_low and not force:
        refined = generation.model.decoding == REFINE
        way, instead = LOSSY[REFINE if refined else BRANCHES]
        raise UserMistake(
            f"{generation.model.model} does not write its own text with {way}; choose {instead} "
            "(--force goes on all the same)."
        )


def _with_rows(model: EngineSettings, batch_size: int) -> EngineSettings:
    """The model with as many requests computed together as prompts are in flight, unless set."""
    heeded = engines.entry(model.engine).heeds("max_num_seqs")
    if model.decoding == BRANCHES:
        return model
    if model.max_num_seqs is None and heeded and batch_size > 1:
        return replace(model, max_num_seqs=batch_size)
    return model


def _print_row(row: Mapping[str, Any]) -> None:
    asked = row["prompt"] if "prompt" in row else row["messages"][-1]["content"]
    echo(f"{heading(row['id'])} {asked}")
    if row["error"] is not None:
        echo(f"  failed: {row['error']['message']}\n")
        return
    echo(f"{row['response']}")
    if "likeliest" in row:
        first = (f"{json_line(one['token'])} {one['probability']:.3f}" for one in row["likeliest"])
        echo(f"  begins with {', '.join(first)}")
    for one in row.get("trace", ()):
        echo(
            f"  block {one['block']}, round {one['round']}: {one['sure']} sure, "
            f"{one['changed']} of {one['tokens']} changed: {json_line(one['text'])}"
        )
    told = [f"{row[name]} {name}" for name in EFFORT if name in row]
    numbers = ", ".join([f"{row['tokens']} tokens", row["stop"], *told])
    echo(f"  ({numbers}, {row['seconds']:.2f} s)\n")


def _print_answers(summary: Summary, shown: int, output_file: Path) -> None:
    for row in summary.rows[:shown]:
        _print_row(row)
    echo(
        f"Answers: {summary.made} made, {summary.already_done} already there, {summary.failed} "
        f"failed, {summary.remaining} remaining."
    )
    echo(f"{output_file}")


def _end(summary: Summary, *, is_rank: bool) -> None:
    """Leave with the exit code of a failure, if there is one.

    A rank's failed prompts are none: torchrun would end the other ranks.
    """
    if summary.remaining:
        echo("Interrupted: repeat the command (without --overwrite) to continue.", err=True)
        sys.exit(RUN_STOPPED)
    if summary.failed:
        echo("Failed prompts are recorded with errors; --retry-errors asks them again.", err=True)
        if not is_rank:
            sys.exit(SOME_FAILED)
