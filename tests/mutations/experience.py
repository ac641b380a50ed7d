"""What PPO and RLOO learn from: prompts, scores, reference, the guard, the numbers reported."""

from mutations.mutation import Mutation

BY_HAND = "equivalence/test_ppo_by_hand.py"
EXPERIENCE = "trainers/test_experience.py"
FAULTS = "trainers/test_faults.py"
GUARDS = "trainers/test_guards.py"
OPTIONS = "trainers/test_ppo_options.py"
PPO = "trainers/test_ppo.py"

MUTATIONS = [
    Mutation(
        "means are over slots that were never filled",
        "trainers/tally.py",
        "total / self.count for",
        "total / (2 * self.count) for",
        (PPO, "trainers/test_tally.py"),
    ),
    Mutation(
        "the reference is the live policy",
        "trainers/assembly.py",
        "        policy.reference(),\n",
        "        lambda rows, temperature=1.0: policy(rows, temperature).logprobs.detach(),\n",
        (PPO, BY_HAND),
    ),
    Mutation(
        "a critic reads another tokenizer's ids",
        "trainers/assembly.py",
        "if needs_reward_model and not",
        "if False and not",
        (OPTIONS,),
    ),
    Mutation(
        "a prompt over the limit is let pass",
        "trainers/assembly.py",
        "max_tokens=limit",
        "max_tokens=10**9",
        ("trainers/test_assembly.py",),
    ),
    Mutation(
        "the prompts are not shuffled",
        "trainers/experience.py",
        'int(permutation(len(prompts), seed, "prompts", epoch)[offset])',
        "offset",
        (EXPERIENCE,),
    ),
    Mutation(
        "every pass over the prompts has the same order",
        "trainers/experience.py",
        '"prompts", epoch)',
        '"prompts")',
        (EXPERIENCE,),
    ),
    Mutation(
        "every step has the same prompts",
        "trainers/experience.py",
        "range(step * num, (step + 1) * num)",
        "range(num)",
        (EXPERIENCE,),
    ),
    Mutation(
        "truncated_score is added",
        "trainers/experience.py",
        "torch.full_like(scores, truncated_score)",
        "scores + truncated_score",
        (EXPERIENCE,),
    ),
    Mutation(
        "a truncated_score of zero is no score",
        "trainers/experience.py",
        "if truncated_score is not None:",
        "if truncated_score:",
        (EXPERIENCE,),
    ),
    Mutation(
        "truncated_penalty is a bonus",
        "trainers/experience.py",
        "scores - truncated_penalty",
        "scores + truncated_penalty",
        (EXPERIENCE, BY_HAND),
    ),
    Mutation(
        "answers that ended lose the penalty",
        "trainers/experience.py",
        "torch.where(finished, scores, scores - truncated_penalty)",
        "torch.where(finished, scores - truncated_penalty, scores)",
        (EXPERIENCE, BY_HAND),
    ),
    Mutation(
        "the reference forgets the temperature",
        "trainers/experience.py",
        "self.reference(rows, config.sampling.temperature)",
        "self.reference(rows)",
        (EXPERIENCE, BY_HAND),
    ),
    Mutation(
        "the divergence is a mean over columns",
        "trainers/experience.py",
        "return k1(self.rollouts.logprobs, self.ref_logprobs, self.rows.answer_mask).sum(-1)",
        "return k1(self.rollouts.logprobs, self.ref_logprobs, self.rows.answer_mask).mean(-1)",
        (EXPERIENCE, PPO),
    ),
    Mutation(
        "the sampler's rounded probabilities are the old ones",
        "trainers/experience.py",
        "rollouts = rollouts.with_stats(*self._learner_stats(rollouts))",
        "rollouts = rollouts.with_states(self._learner_stats(rollouts)[1])",
        (EXPERIENCE, PPO),
    ),
    Mutation(
        "the old probabilities forget the temperature",
        "trainers/experience.py",
        "self.policy(rows, self.config.sampling.temperature), rows",
        "self.policy(rows), rows",
        (EXPERIENCE, PPO),
    ),
    Mutation(
        "a score that is no number is let pass",
        "trainers/experience.py",
        "if not bool(torch.isfinite(scores.total).all()):",
        "if False:",
        (EXPERIENCE, FAULTS),
    ),
    Mutation(
        "one score is spread over all answers",
        "trainers/experience.py",
        "if set(counts) != {num_answers}:",
        "if False:",
        (EXPERIENCE,),
    ),
    Mutation(
        "a component overwrites the total's deviation",
        "trainers/experience.py",
        '_TOTAL_NAMES = {"mean", "std"}',
        '_TOTAL_NAMES = {"mean"}',
        (EXPERIENCE,),
    ),
    Mutation(
        "the guard looks above zero",
        "trainers/guards.py",
        "mean < -_NUM_ERRORS * error",
        "mean > _NUM_ERRORS * error",
        (GUARDS,),
    ),
    Mutation(
        "the guard stops at chance",
        "trainers/guards.py",
        "mean < -_NUM_ERRORS * error",
        "mean < _NUM_ERRORS * error",
        (GUARDS,),
    ),
    Mutation(
        "the guard stops at rounding noise",
        "trainers/guards.py",
        " and mean < _LEAST_KL",
        "",
        (GUARDS,),
    ),
    Mutation(
        "one bad batch is enough",
        "trainers/guards.py",
        "if is_low and self._was_low:",
        "if is_low:",
        (GUARDS,),
    ),
    Mutation(
        "the guard's memory is lost",
        "trainers/guards.py",
        'bool(state["was_low"])',
        "False",
        (GUARDS,),
    ),
]
