"""Episodes of several answers."""

from mutations.mutation import Mutation

_TESTS = ("rollout/test_episodes.py",)

MUTATIONS = [
    Mutation(
        "only the last answer of an episode counts",
        "batches/tokens.py",
        "with_further(self.answer_mask, further.answer_mask) | fitted(self.answer_mask, width)",
        "with_further(self.answer_mask, further.answer_mask)",
        _TESTS,
    ),
    Mutation(
        "log-probabilities of earlier answers are lost",
        "batches/rollouts.py",
        "own[index] = torch.where(known, own[index], fitted(new, width))",
        "own[index] = fitted(new, width)",
        _TESTS,
    ),
    Mutation(
        "an answer that was cut off is replied to",
        "rollout/episodes.py",
        "going = [i for i in going if rollouts.finished[i]]",
        "going = list(going)",
        _TESTS,
    ),
    Mutation(
        "all episodes of a prompt draw alike",
        "rollout/episodes.py",
        "seen[name] += 1",
        "seen[name] += 0",
        _TESTS,
    ),
    Mutation(
        "an episode outgrows the limit",
        "rollout/episodes.py",
        "if len(ids) <= max_tokens:",
        "if ids:",
        _TESTS,
    ),
    Mutation(
        "scorers do not hear what was said before the last answer",
        "text/prompts.py",
        "return [(*prompts[owner].messages, *said) for",
        "return [prompts[owner].messages for",
        _TESTS,
    ),
    Mutation(
        "the stop token between two answers is written twice",
        "text/chat.py",
        "self._ids(self._after(self._up_to_stop(conversation[:-1], conversation[-1]), prefix))",
        "[self.stop_id, *self._ids(self._after(self._up_to_stop(conversation[:-1], conversation[-1]), prefix))]",
        _TESTS,
    ),
]
