"""The losses' mistakes: PPO's, preferences', log-probabilities."""

from mutations.mutation import Mutation

POLICY_LOSS = "algorithms/test_policy.py"
POLICY_MODEL = "models/test_policy.py"
PREFERENCE = "algorithms/test_preference.py"
SAMPLER = "rollout/test_sampler.py"
LOGITS = "models/test_logits.py"

MUTATIONS = [
    Mutation(
        "the policy is not clipped",
        "algorithms/policy.py",
        "ratio.clamp(1.0 - clip, 1.0 + clip)",
        "ratio",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the optimistic of the two objectives is taken",
        "algorithms/policy.py",
        "masked_mean(torch.maximum(unclipped, clipped), mask, denominator)",
        "masked_mean(torch.minimum(unclipped, clipped), mask, denominator)",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the advantage has the other sign",
        "algorithms/policy.py",
        "advantages = zeroed(advantages, mask)",
        "advantages = -zeroed(advantages, mask)",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the value is not clipped",
        "algorithms/policy.py",
        "torch.clamp(values, old_values - clip, old_values + clip)",
        "values",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the smaller value error is taken",
        "algorithms/policy.py",
        "torch.maximum(error, clipped_error)",
        "torch.minimum(error, clipped_error)",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the value loss loses its half",
        "algorithms/policy.py",
        "ValueLoss(0.5 * masked_mean",
        "ValueLoss(masked_mean",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the policy loss is a mean of micro-batch means",
        "algorithms/policy.py",
        "masked_mean(torch.maximum(unclipped, clipped), mask, denominator)",
        "masked_mean(torch.maximum(unclipped, clipped), mask)",
        (POLICY_LOSS,),
    ),
    Mutation(
        "a metric is a mean of micro-batch means",
        "algorithms/policy.py",
        "ratio_mean = masked_mean(ratio, mask, denominator)",
        "ratio_mean = masked_mean(ratio, mask)",
        (POLICY_LOSS,),
    ),
    Mutation(
        "a metric counts padding",
        "algorithms/policy.py",
        "masked_mean(torch.expm1(log_ratio) - log_ratio, mask, denominator)",
        "(torch.expm1(logprobs - old_logprobs) - (logprobs - old_logprobs)).sum() / denominator",
        (POLICY_LOSS,),
    ),
    Mutation(
        "the temperature is not applied",
        "algorithms/logprobs.py",
        "_wide(logits) / temperature",
        "_wide(logits)",
        ("algorithms/test_logprobs.py", POLICY_MODEL, SAMPLER),
    ),
    Mutation(
        "the softmax runs in the logits' precision",
        "algorithms/logprobs.py",
        "torch.log_softmax(_wide(logits) / temperature",
        "torch.log_softmax(logits / temperature",
        ("algorithms/test_logprobs.py",),
    ),
    Mutation(
        "chosen and rejected are swapped",
        "algorithms/preference.py",
        "logits = scores[a] - scores[b]",
        "logits = scores[b] - scores[a]",
        (PREFERENCE,),
    ),
    Mutation(
        "a margin is given to the preferred side",
        "algorithms/preference.py",
        "logits - margins * (2.0 * targets - 1.0)",
        "logits + margins * (2.0 * targets - 1.0)",
        (PREFERENCE,),
    ),
    Mutation(
        "a margin favours side a",
        "algorithms/preference.py",
        "logits - margins * (2.0 * targets - 1.0)",
        "logits - margins",
        (PREFERENCE,),
    ),
    Mutation(
        "smoothing is not applied",
        "algorithms/preference.py",
        "soft_label_cross_entropy(logits, targets, label_smoothing)",
        "soft_label_cross_entropy(logits, targets)",
        (PREFERENCE,),
    ),
    Mutation(
        "log(sigmoid) in two steps",
        "algorithms/preference.py",
        "targets * logsigmoid(logits) + (1.0 - targets) * logsigmoid(-logits)",
        "targets * logits.sigmoid().log() + (1.0 - targets) * (-logits).sigmoid().log()",
        (PREFERENCE,),
    ),
    Mutation(
        "DPO adds the reference",
        "algorithms/preference.py",
        "(logprobs_a - ref_logprobs_a)",
        "(logprobs_a + ref_logprobs_a)",
        (PREFERENCE,),
    ),
    Mutation(
        "an answer's pairs weigh their number",
        "schemas/preference.py",
        "weight=weight / len(found)",
        "weight=weight",
        (PREFERENCE,),
    ),
    Mutation(
        "a frozen head's gradient forgets what the other tokens lose",
        "algorithms/logprobs.py",
        "chosen_row - probabilities.to(weight.dtype) @ weight",
        "chosen_row",
        ("algorithms/test_logprobs.py", "models/test_trunk.py"),
    ),
    Mutation(
        "a frozen head's gradient forgets the temperature",
        "algorithms/logprobs.py",
        "@ weight) / temperature",
        "@ weight)",
        ("algorithms/test_logprobs.py",),
    ),
    Mutation(
        "a frozen head's gradient forgets the scale of its outputs",
        "algorithms/logprobs.py",
        "gradient if scale == 1.0 else gradient * scale",
        "gradient",
        ("algorithms/test_logprobs.py", LOGITS),
    ),
    Mutation(
        "a frozen head's gradient forgets the slope of the soft cap",
        "algorithms/logprobs.py",
        "slopes = 1.0 - (logits / softcap) ** 2",
        "slopes = torch.ones_like(logits)",
        ("algorithms/test_logprobs.py", LOGITS),
    ),
    Mutation(
        "logits are scaled after the soft cap",
        "algorithms/logprobs.py",
        "return logits if softcap is None else torch.tanh(logits / softcap) * softcap",
        "return logits if softcap is None else torch.tanh(outputs / softcap) * softcap * scale",
        ("algorithms/test_logprobs.py",),
    ),
    Mutation(
        "a frozen head's entropy has the other sign",
        "algorithms/logprobs.py",
        "entropy = -logprobs.mul_(probabilities).sum(-1)",
        "entropy = logprobs.mul_(probabilities).sum(-1)",
        ("algorithms/test_logprobs.py",),
    ),
]
