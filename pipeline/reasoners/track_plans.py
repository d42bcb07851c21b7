"""What tells the tracks of an attempt apart: nothing, a role, or a method."""

from dataclasses import dataclass

from pipeline.letters import LETTERS
from pipeline.problems.problem_set import Problem
from pipeline.problems.prompting import GuidanceGroup, Prompt, PromptSet, guidance_text, task_prompt
from pipeline.reasoners.protocol import Assignment
from pipeline.reasoners.selection import UNKNOWN, choose_methods
from pipeline.reasoners.settings import TrackSettings
from pipeline.records import Selection

GUIDANCE_PROMPTS = ("task/", "roles/", "methods/", "choose-methods")
"""Beginnings of the paths of all templates that a track's prompt may be made of."""
ROLES = ("direct", "insightful", "systematic")


@dataclass(frozen=True, slots=True)
class TrackPlan:
    """One track before it starts: its id, its task prompt, and the guidance in it."""

    track_id: str
    prompt: Prompt
    role: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class TrackPlans:
    """All tracks of an attempt, and how their methods were chosen, if they have any."""

    plans: tuple[TrackPlan, ...]
    selection: Selection | None = None


async def plan_tracks(assignment: Assignment, settings: TrackSettings) -> TrackPlans:
    """The tracks that the settings ask for; `methods` may ask the target which ones."""
    if settings.prompts == "methods":
        return await _by_method(assignment, settings)
    if settings.prompts == "roles":
        roles = track_roles(settings)
        return TrackPlans(
            tuple(
                TrackPlan(
                    str(n),
                    guided_prompt(assignment.prompt_set, assignment.problem, "roles", role),
                    role=role,
                )
                for n, role in enumerate(roles)
            )
        )
    return TrackPlans(tuple(TrackPlan(str(n), assignment.prompt) for n in range(settings.tracks)))


async def _by_method(assignment: Assignment, settings: TrackSettings) -> TrackPlans:
    selection = await choose_methods(assignment, settings)
    plans: list[TrackPlan] = []
    for number, method in enumerate(selection.chosen):
        letter = LETTERS[selection.pool.index(method)]
        running = 1 + selection.chosen[:number].count(method)
        prompt = assignment.prompt
        if method != UNKNOWN:
            prompt = guided_prompt(assignment.prompt_set, assignment.problem, "methods", method)
        plans.append(TrackPlan(f"{letter}{running}", prompt, method=method))
    return TrackPlans(tuple(plans), selection)


def track_roles(settings: TrackSettings) -> list[str]:
    """The role of each track, in their order; they begin again where there are more tracks."""
    return [ROLES[n % len(ROLES)] for n in range(settings.tracks)]


def guided_prompt(
    prompt_set: PromptSet, problem: Problem, group: GuidanceGroup, name: str
) -> Prompt:
    """The task with the guidance of a role or a method in it."""
    return task_prompt(prompt_set, problem, guidance_text(prompt_set, group, name))
