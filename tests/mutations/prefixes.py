"""Prefix tuning."""

from mutations.mutation import Mutation

_TESTS = ("models/test_prefix.py",)

MUTATIONS = [
    Mutation(
        "a prefix's keys are not turned back",
        "models/prefix.py",
        "keys = self.keys * self.cos - torch.cat([-high, low], dim=-1) * self.sin",
        "keys = self.keys",
        _TESTS,
    ),
    Mutation(
        "a prefix's keys are turned the wrong way",
        "models/prefix.py",
        "self.keys * self.cos - torch.cat",
        "self.keys * self.cos + torch.cat",
        _TESTS,
    ),
    Mutation(
        "the answers do not see the prefix",
        "models/prefix.py",
        "seen = True if attention_mask.dtype == torch.bool else 0.0",
        "seen = False if attention_mask.dtype == torch.bool else float('-inf')",
        _TESTS,
    ),
    Mutation(
        "behind a prefix every token sees the next ones",
        "models/prefix.py",
        "attention_mask = ones.tril(num + num_known - num_new)",
        "attention_mask = ones",
        _TESTS,
    ),
    Mutation(
        "a reference hears the prefix that its policy was given",
        "models/policy.py",
        "            off = prefix_off(self.full)\n",
        "            pass\n",
        _TESTS,
    ),
    Mutation(
        "the reference of a loaded prefix forgets it",
        "models/policy.py",
        'self._has_new_prefix = train.kind == "prefix" and not prefixes_of(model)',
        'self._has_new_prefix = train.kind == "prefix"',
        _TESTS,
    ),
    Mutation(
        "keys and values change places on disk",
        "models/prefix.py",
        "for x in (prefix.keys, prefix.values)]",
        "for x in (prefix.values, prefix.keys)]",
        _TESTS,
    ),
    Mutation(
        "a saved reward prefix leaves its head behind",
        "models/reward.py",
        "        model.score.weight.copy_(others[_SCORE])\n",
        "        pass\n",
        _TESTS,
    ),
    Mutation(
        "other layers are trained under a prefix",
        "models/policy.py",
        'if prefixes_of(model) and train.kind != "prefix":',
        "if False:",
        _TESTS,
    ),
]
