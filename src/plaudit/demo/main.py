"""The story: demonstrations, rankings, reward model, PPO against DPO and best-of-4, evaluation, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from plaudit.demo.content import Content, content, hidden_utility
from plaudit.demo.people import people_line
from plaudit.demo.perception import perception
from plaudit.demo.refusals import refusals
from plaudit.demo.results import Results, printed, reported
from plaudit.demo.settings import NUM_ANSWERS, DemoConfig
from plaudit.demo.stages import (
    answers_of,
    best_of_four,
    collected_rankings,
    measured,
    policy_of,
)
from plaudit.demo.tricks import trick_win_rates
from plaudit.demo.utility import HiddenUtility
from plaudit.evaluation.answers import Entrant, load_entrant, save_entrant
from plaudit.evaluation.contest import contest
from plaudit.evaluation.evaluate import check_unseen
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.language import perplexity_of
from plaudit.evaluation.reward_scorer import RewardModelScorer, quality_on_records
from plaudit.formats.native import read as read_native
from plaudit.formats.splits import split_by_prompt
from plaudit.models.kept import KeptActivations
from plaudit.models.load import device_for, load_codec
from plaudit.models.reward import load_reward_model
from plaudit.quality.labels import Person, weighed_preferences
from plaudit.runs import PhaseTimer, read_metrics
from plaudit.runs.memory import give_memory_back, peak_rss_mb
from plaudit.runs.stages import Stages
from plaudit.schemas.conversation import Messages, prompt_id, unique_prompts
from plaudit.schemas.feedback import Ranking
from plaudit.trainers import dpo, ppo, reward, rloo, sft

HELD_PANEL_FRAC = 0.125


def run(config: DemoConfig) -> Path:
    """Runs the demo and returns the report's path. RLOO may be asked for later, of a demo that has ended."""
    stages = Stages(config.folder, {**asdict(config), "out": "", "rloo": False}, say=partial(print, flush=True))
    texts = content(config.seed, num_held=config.num_held, num_train=config.num_train, num_eval=config.num_eval)
    utility = hidden_utility()
    demonstrated = {prompt_id(record.prompt) for record in (*texts.learnt, *texts.anchor)}
    trained = demonstrated | {prompt_id(question.prompt) for question in texts.train}
    check_unseen([question.prompt for question in texts.eval], trained)
    check_unseen([record.prompt for record in texts.held], trained, "held-out demonstrations")
    stages.run(
        "sft",
        "fine-tuning on demonstrations",
        lambda resume: sft.train(replace(config.sft(), resume=resume), texts.learnt),
    )
    prompts, people, held = _from_rankings(config, texts, utility, stages)
    stages.run(
        "ppo",
        "PPO",
        lambda resume: ppo.train(replace(config.ppo(), resume=resume), prompts, demonstrations=texts.anchor),
    )
    stages.run(
        "evaluate",
        "evaluation on questions nothing was trained on",
        lambda _: _evaluate(config, texts, stages),
    )
    if config.rloo:
        stages.run("rloo", "RLOO", lambda resume: rloo.train(replace(config.rloo_config(), resume=resume), prompts))
        stages.run(
            "evaluate_rloo", "its evaluation on the same", lambda _: _measure(config, "rloo", "RLOO", texts, stages)
        )
    timer = PhaseTimer()
    with timer("figures"):
        results = _results(config, texts, utility, people, held, stages)
    results = replace(
        results,
        seconds={**results.seconds, **timer.seconds()},
        peak_rss_mb=max(results.peak_rss_mb, peak_rss_mb()),
    )
    page = reported(config, results)
    printed(config, results, page)
    return page


def _from_rankings(
    config: DemoConfig, texts: Content, utility: HiddenUtility, stages: Stages
) -> tuple[list[Messages], Sequence[Person], list[Ranking]]:
    """What is learnt from rankings themselves. Returns the prompts ranked, the panel as judged, and the rankings kept back."""
    # What answering cost need not be paid again by who learns from the answers; a demo gone on with pays it.
    known = KeptActivations()
    stages.run(
        "collect", "answers, ranked by the panel", lambda _: collected_rankings(config, texts.train, utility, known)
    )
    learnt, held = learnt_and_held(config)
    weighed = weighed_preferences(learnt, seed=config.seed)
    print(people_line(weighed.people), flush=True)
    stages.run(
        "reward",
        "reward model from the rankings",
        lambda resume: reward.train(replace(config.reward(), resume=resume), weighed.groups, known=known),
    )
    stages.run(
        "dpo",
        "DPO from the same rankings",
        lambda resume: dpo.train(replace(config.dpo(), resume=resume), weighed.groups, known=known),
    )
    return unique_prompts(record.prompt for record in learnt), weighed.people, held


def learnt_and_held(config: DemoConfig) -> tuple[list[Ranking], list[Ranking]]:
    """The panel's rankings as they were collected: those to learn from, and those kept back."""
    rankings = [record for record in read_native(config.folder / "rankings.jsonl") if isinstance(record, Ranking)]
    return split_by_prompt(rankings, HELD_PANEL_FRAC, config.seed)


_LEARNERS = {"ppo": "PPO", "dpo": "DPO"}


def _methods(config: DemoConfig) -> dict[str, str]:
    return _LEARNERS | ({"rloo": "RLOO"} if config.rloo else {})


def _evaluate(config: DemoConfig, texts: Content, stages: Stages) -> None:
    """The answers of all but RLOO to the evaluation's questions, written beside the models."""
    codec = load_codec(config.model_of("sft"))
    baseline = Entrant(
        "SFT",
        answers_of(config, "sft", texts.eval, num_answers=NUM_ANSWERS, purpose="evaluate sft"),
        cpu_seconds=stages.costs["sft"].cpu_seconds,
        kl=0.0,
        perplexity=perplexity_of(policy_of(config, "sft"), codec, texts.held).value,
    )
    save_entrant(baseline, config.folder / "answers-sft.json")
    give_memory_back()
    for stage, name in _LEARNERS.items():
        _measure(config, stage, name, texts, stages)
    timer = PhaseTimer()
    with timer("pick"):
        picks = best_of_four(config, texts.eval)
    cpu = stages.costs["reward"].cpu_seconds
    picked = Entrant("best of 4", picks, cpu_seconds=cpu + timer.cpu_seconds()["pick"], perplexity=baseline.perplexity)
    save_entrant(picked, config.folder / "answers-best-of-4.json")


def _measure(config: DemoConfig, stage: str, name: str, texts: Content, stages: Stages) -> None:
    """One method's answers to the evaluation's questions, with its KL, perplexity and cost."""
    cpu = stages.costs[stage].cpu_seconds + (stages.costs["reward"].cpu_seconds if stage != "dpo" else 0.0)
    entrant = measured(config, stage, name, texts.eval, texts.held, cpu)
    save_entrant(entrant, config.folder / f"answers-{stage}.json")
    give_memory_back()


def _results(
    config: DemoConfig,
    texts: Content,
    utility: HiddenUtility,
    people: Sequence[Person],
    held: list[Ranking],
    stages: Stages,
) -> Results:
    """Everything the report shows, computed from what the stages left."""
    judge = ScoreJudge(utility)
    prompts = [question.prompt for question in texts.eval]
    baseline = load_entrant(config.folder / "answers-sft.json")
    names = [*_methods(config), "best-of-4"]
    entrants = [load_entrant(config.folder / f"answers-{name}.json") for name in names]
    folder = config.model_of("reward")
    model = load_reward_model(folder, config.upper, precision=config.precision, device=device_for(config.device))
    scorer = RewardModelScorer(model, load_codec(folder))
    own = ScoreJudge(scorer)
    scores = {
        entrant.name: [[score.score for score in row] for row in own.utilities(prompts, entrant.answers)]
        for entrant in (baseline, entrants[0])
    }
    return Results(
        contest=contest(prompts, baseline, entrants, judge, seed=config.seed),
        people=people,
        quality=quality_on_records(scorer.raw, held),
        tricks=trick_win_rates(utility, texts.eval, baseline.answers, others=[entrant.answers for entrant in entrants]),
        entrants=(baseline, *entrants),
        prompts=prompts,
        judge=judge,
        curves={
            name: read_metrics(config.folder / name / "metrics.jsonl") for name in _methods(config) if name != "dpo"
        },
        sft_scores=scores[baseline.name],
        perceived={
            entrant.name: perception(judge.utilities(prompts, entrant.answers), scores[entrant.name])
            for entrant in (baseline, entrants[0])
        },
        refusals={entrant.name: refusals(texts.eval, entrant) for entrant in (baseline, *entrants)},
        seconds={name: cost.seconds for name, cost in stages.costs.items()},
        peak_rss_mb=max(cost.peak_rss_mb for cost in stages.costs.values()),
    )
