"""The options of `--decoding branches`, as `speclrm generate` has them."""

from collections.abc import Collection, Mapping
from typing import Any

import click

from pipeline.cli.finite import FiniteRange
from pipeline.decoding.layout import COLUMNAR, ISOLATED, LEFT, RIGHT
from pipeline.engines.branching import STRIDE, Branching
from pipeline.engines.settings import BRANCHES
from pipeline.errors import UserMistake

OPTIONS = (
    click.Option(
        ["--branches", "--branches-per-sample"],
        type=click.IntRange(1),
        default=4,
        show_default=True,
        help="Prompts that are branches of one sequence.",
    ),
    click.Option(
        ["--max-branches", "--max-branches-per-sample"],
        type=click.IntRange(1),
        help="Draw each sequence's number of prompts, from --min-branches (1) to this one.",
    ),
    click.Option(
        ["--min-branches", "--min-branches-per-sample"],
        type=click.IntRange(1),
        help="Draw each sequence's number of prompts, from this one to --max-branches or "
        "--branches.",
    ),
    click.Option(
        ["--max-total-tokens"],
        type=click.IntRange(0),
        default=0,
        show_default="no bound",
        metavar="N",
        help="Tokens that prompts of one sequence and their answers may have together.",
    ),
    click.Option(
        ["--branch-mode"],
        type=click.Choice([ISOLATED, COLUMNAR]),
        default=ISOLATED,
        show_default=True,
        help="Blind to each other, with the text that each prompt has alone; or seeing what the "
        "others have in earlier columns.",
    ),
    click.Option(
        ["--branch-stride"],
        type=click.IntRange(0),
        show_default=f"{STRIDE} with two-dimensional rotary positions, else 0",
        help="Distance of the branches' positions.",
    ),
    click.Option(
        ["--rope-2d-ratio"],
        type=FiniteRange(min=0, max=1),
        default=0.5,
        show_default=True,
        help="Columnar: share of rotary pairs that have two dimensions; half of them turn by the "
        "branch.",
    ),
    click.Option(
        ["--patch-rope/--no-patch-rope"],
        default=True,
        help="Columnar: two-dimensional rotary positions, or the model's own.  [default: "
        "patch-rope]",
    ),
    click.Option(
        ["--align-to"],
        type=click.Choice([LEFT, RIGHT]),
        default=LEFT,
        show_default=True,
        help="Columnar: whether prompts begin or end in one column.",
    ),
    click.Option(
        ["--interleave-branches/--no-interleave-branches"],
        default=True,
        help="Tokens of a prompt lie column by column, or branch by branch.  [default: "
        "interleave-branches]",
    ),
    click.Option(
        ["--flat-index"],
        is_flag=True,
        help="Columnar: positions are places in the sequence, as in ParallelMind, not times.",
    ),
    click.Option(
        ["--print-topk"],
        type=click.IntRange(0),
        default=0,
        metavar="K",
        help="Tell the K likeliest first tokens of each answer.",
    ),
    click.Option(
        ["--print-layout"], is_flag=True, help="Print where each token of a group's prompts lies."
    ),
)
NAMES = {option.name: option.opts[0] for option in OPTIONS}
OF_COLUMNS = ("rope_2d_ratio", "patch_rope", "align_to", "flat_index")


def branching_of(
    values: Mapping[str, Any], given: Collection[str], decoding: str
) -> Branching | None:
    """How the branches lie that are asked for; None where something else decodes.

    Raises:
        UserMistake: an option has no effect, or they do not go together.
    """
    asked = [name for name in NAMES if name in given]
    if decoding != BRANCHES:
        if asked:
            raise UserMistake(
                f"{NAMES[asked[0]]} has no effect with --decoding {decoding}; choose --decoding "
                f"{BRANCHES}."
            )
        return None
    idle = [name for name in OF_COLUMNS if name in given and values["branch_mode"] != COLUMNAR]
    if idle:
        raise UserMistake(
            f"{NAMES[idle[0]]} has no effect with --branch-mode {ISOLATED}, whose branches have "
            f"their own positions; drop it, or choose --branch-mode {COLUMNAR}."
        )
    _check_columns(values, given)
    most, least = values["max_branches"], values["min_branches"]
    if most is not None and "branches" in given:
        raise UserMistake(
            "--branches is the size of every group, and --max-branches the largest of sizes that "
            "are drawn; drop one of them."
        )
    if most is not None and least is None:
        least = 1
    if most is not None and least > most:
        raise UserMistake(
            f"--min-branches is {least} and --max-branches {most}; the first must not be the "
            "larger."
        )
    return Branching(
        branches=values["branches"] if most is None else most,
        least=least,
        mode=values["branch_mode"],
        interleaved=values["interleave_branches"],
        stride=values["branch_stride"],
        patch_rope=values["patch_rope"],
        rope_2d_ratio=values["rope_2d_ratio"],
        align=values["align_to"],
        flat_index=values["flat_index"],
        total_tokens=values["max_total_tokens"] or None,
    )


def _check_columns(values: Mapping[str, Any], given: Collection[str]) -> None:
    """Raise `UserMistake` where positions do not depend on an option of columns."""
    if "rope_2d_ratio" in given and not values["patch_rope"]:
        raise UserMistake("--rope-2d-ratio has no effect with --no-patch-rope; drop one of them.")
    if "branch_stride" in given and values["branch_mode"] == COLUMNAR:
        if values["patch_rope"] and values["rope_2d_ratio"] == 0:
            raise UserMistake(
                "--branch-stride has no effect with --rope-2d-ratio 0, where nothing turns by the "
                "branch; drop one of them."
            )
        if values["flat_index"] and not values["patch_rope"]:
            raise UserMistake(
                "--branch-stride has no effect with --no-patch-rope and --flat-index, whose "
                "positions are places in the sequence; drop one of them."
            )
    if values["flat_index"] and values["patch_rope"] and values["rope_2d_ratio"] == 1:
        raise UserMistake(
            "--flat-index has no effect with --rope-2d-ratio 1, where no pair turns by the "
            "position; drop one of them."
        )
