"""The policy, its reference, the trunk, reward model and value."""

from mutations.mutation import Mutation

POLICY_MODEL = "models/test_policy.py"
RECOMPUTING = "models/test_recomputing.py"
SAMPLER = "rollout/test_sampler.py"

MUTATIONS = [
    Mutation(
        "the log-probability is read one state late",
        "models/policy.py",
        "torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], dim=1)",
        "hidden",
        (POLICY_MODEL, SAMPLER),
    ),
    Mutation(
        "the learner ignores the temperature",
        "models/policy.py",
        "return answer_stats(self.branch(rows), self.head, rows, temperature, mixed=self.mixed)\n",
        "return answer_stats(self.branch(rows), self.head, rows, 1.0, mixed=self.mixed)\n",
        (POLICY_MODEL, SAMPLER),
    ),
    Mutation(
        "the reference ignores the temperature",
        "models/policy.py",
        "return answer_stats(self._branch(rows), self._head, rows, temperature, mixed=self._policy.mixed).logprobs",
        "return answer_stats(self._branch(rows), self._head, rows, 1.0, mixed=self._policy.mixed).logprobs",
        (POLICY_MODEL, SAMPLER),
    ),
    Mutation(
        "the reference shares the policy's layers",
        "models/policy.py",
        "frozen_copy(policy.branch), policy.head",
        "policy.branch, policy.head",
        (POLICY_MODEL,),
    ),
    Mutation(
        "the reference's adapters are on",
        "models/policy.py",
        "with self._adapters_off():",
        "with nullcontext():",
        (POLICY_MODEL,),
    ),
    Mutation(
        "adapters switch dropout on",
        "models/policy.py",
        "return adapted.eval()",
        "return adapted",
        (SAMPLER,),
    ),
    Mutation(
        "padding is attended to",
        "models/trunk.py",
        "attention_mask=rows.attention_mask.long()",
        "attention_mask=rows.attention_mask.flip(-1).long()",
        ("models/test_trunk.py", POLICY_MODEL),
    ),
    Mutation(
        "one layer too few below the branch",
        "models/trunk.py",
        "_part(body, 0, num_layers, keep_norm=False)",
        "_part(body, 0, num_layers - 1, keep_norm=False)",
        ("models/test_trunk.py",),
    ),
    Mutation(
        "the trunk normalises",
        "models/trunk.py",
        "_part(body, 0, num_layers, keep_norm=False)",
        "_part(body, 0, num_layers, keep_norm=True)",
        ("models/test_trunk.py",),
    ),
    Mutation(
        "another trunk's activations are used",
        "models/trunk.py",
        "if rows.trunk is not None and rows.trunk_key == self.key:",
        "if rows.trunk is not None:",
        ("models/test_trunk.py",),
    ),
    Mutation(
        "gradient checkpointing never acts",
        "models/trunk.py",
        "recomputing(self.body) if self.recompute and torch.is_grad_enabled() else nullcontext()",
        "nullcontext()",
        (RECOMPUTING, "equivalence/test_gradient_checkpointing.py"),
    ),
    Mutation(
        "the reward model leaves gradient checkpointing out",
        "models/reward.py",
        "recompute = self.train_layers.gradient_checkpointing",
        "recompute = False",
        (RECOMPUTING, "equivalence/test_gradient_checkpointing.py"),
    ),
    Mutation(
        "layers stay wrapped after an error",
        "models/trunk.py",
        "            del layer.forward",
        "            pass",
        (RECOMPUTING,),
    ),
    Mutation(
        "the score is read in the last column",
        "models/reward.py",
        "rows.lengths - 1]",
        "rows.token_ids.shape[1] - 1]",
        ("models/test_reward.py", "models/test_save.py"),
    ),
    Mutation(
        "the reward head starts at 1 / (D + 1)",
        "models/reward.py",
        "(width + 1) ** 0.5",
        "(width + 1)",
        ("models/test_reward.py",),
    ),
    Mutation(
        "the score is not centred",
        "models/reward.py",
        "(scores - self.mean) / self.std",
        "scores / self.std",
        ("models/test_reward.py", "models/test_value.py"),
    ),
    Mutation(
        "saving a reward model ends its training",
        "models/reward.py",
        "copy.deepcopy(model).merge_and_unload()",
        "model.merge_and_unload()",
        ("models/test_save.py",),
    ),
    Mutation(
        "the value is read one state late",
        "models/value.py",
        "before(self.branch(rows))",
        "self.branch(rows)",
        ("models/test_value.py",),
    ),
    Mutation(
        "the value starts at the raw score",
        "models/value.py",
        "head.bias.fill_(-reward.mean / reward.std)",
        "head.bias.fill_(0.0)",
        ("models/test_value.py",),
    ),
    Mutation(
        "training the value moves the reward model",
        "models/value.py",
        "branch = frozen_copy(reward.branch)",
        "branch = reward.branch",
        ("models/test_value.py",),
    ),
    Mutation(
        "the value head starts at random",
        "models/value.py",
        "nn.init.zeros_(head.weight)",
        "nn.init.normal_(head.weight)",
        ("models/test_value.py",),
    ),
]
