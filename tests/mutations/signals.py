"""Masks, rewards, advantages and the KL."""

from mutations.mutation import Mutation

ADVANTAGES = "algorithms/test_advantages.py"
KL = "algorithms/test_kl.py"
MASKED = "algorithms/test_masked.py"
POLICY_LOSS = "algorithms/test_policy.py"

MUTATIONS = [
    Mutation(
        "a mask is inverted",
        "algorithms/masked.py",
        "torch.where(mask, x, torch.zeros((), dtype=x.dtype, device=x.device))",
        "torch.where(~mask, x, torch.zeros((), dtype=x.dtype, device=x.device))",
        (MASKED, ADVANTAGES, KL, POLICY_LOSS),
    ),
    Mutation(
        "a mask multiplies, so that NaN gets through",
        "algorithms/masked.py",
        "torch.where(mask, x, torch.zeros((), dtype=x.dtype, device=x.device))",
        "x * mask",
        (MASKED, ADVANTAGES, KL, POLICY_LOSS),
    ),
    Mutation(
        "a mean counts padding",
        "algorithms/masked.py",
        "denominator = float(mask.sum().item())",
        "denominator = float(mask.numel())",
        (MASKED,),
    ),
    Mutation(
        "the variance is the unbiased one",
        "algorithms/masked.py",
        "return masked_mean((x - masked_mean(x, mask)) ** 2, mask)",
        "return masked_mean((x - masked_mean(x, mask)) ** 2, mask, float(mask.sum()) - 1)",
        (MASKED,),
    ),
    Mutation(
        "advantages are left uncentred",
        "algorithms/masked.py",
        "scaled if shift_mean else scaled + mean",
        "scaled + mean",
        (MASKED,),
    ),
    Mutation(
        "whitening rewards moves their mean",
        "algorithms/masked.py",
        "scaled if shift_mean else scaled + mean",
        "scaled",
        (MASKED,),
    ),
    Mutation(
        "whitening sees padding",
        "algorithms/masked.py",
        "mean = masked_mean(x, mask)\n    scaled = (x - mean) * torch.rsqrt(masked_var(x, mask) + eps)",
        "mean = x.mean()\n    scaled = (x - mean) * torch.rsqrt(x.var(correction=0) + eps)",
        (MASKED,),
    ),
    Mutation(
        "the KL penalty is a reward",
        "algorithms/advantages.py",
        "rewards = -kl_coef * zeroed(",
        "rewards = kl_coef * zeroed(",
        (ADVANTAGES,),
    ),
    Mutation(
        "the score lies one token early",
        "algorithms/advantages.py",
        "(counted_from_right == 1)",
        "(counted_from_right == 2)",
        (ADVANTAGES,),
    ),
    Mutation(
        "the score lies in the last column",
        "algorithms/advantages.py",
        "return answer_mask & (counted_from_right == 1)",
        "return torch.zeros_like(answer_mask).index_fill(-1, torch.tensor([answer_mask.shape[1] - 1]), True)",
        (ADVANTAGES,),
    ),
    Mutation(
        "the score lies on every token",
        "algorithms/advantages.py",
        "last_token_mask(answer_mask) * scores[:, None]",
        "answer_mask * scores[:, None]",
        (ADVANTAGES,),
    ),
    Mutation(
        "gamma * lambda is dropped",
        "algorithms/advantages.py",
        "delta + gamma * lam * next_advantage",
        "delta + next_advantage",
        (ADVANTAGES,),
    ),
    Mutation(
        "lambda is dropped",
        "algorithms/advantages.py",
        "delta + gamma * lam * next_advantage",
        "delta + gamma * next_advantage",
        (ADVANTAGES,),
    ),
    Mutation(
        "the next value is not discounted",
        "algorithms/advantages.py",
        "rewards[:, t] + gamma * next_value",
        "rewards[:, t] + next_value",
        (ADVANTAGES,),
    ),
    Mutation(
        "the person's turn ends the episode",
        "algorithms/advantages.py",
        "torch.where(counted, advantages[:, t], next_advantage)",
        "torch.where(counted, advantages[:, t], torch.zeros_like(next_advantage))",
        (ADVANTAGES,),
    ),
    Mutation(
        "the value of the person's turn is used",
        "algorithms/advantages.py",
        "torch.where(counted, values[:, t], next_value)",
        "values[:, t]",
        (ADVANTAGES,),
    ),
    Mutation(
        "the baseline includes the answer itself",
        "algorithms/advantages.py",
        "(returns.sum(-1, keepdim=True) - returns) / (num_answers - 1)",
        "returns.mean(-1, keepdim=True)",
        (ADVANTAGES,),
    ),
    Mutation(
        "k1 has the other sign",
        "algorithms/kl.py",
        "return zeroed(logprobs - ref_logprobs, mask)",
        "return zeroed(ref_logprobs - logprobs, mask)",
        (KL,),
    ),
    Mutation(
        "k3 looks the other way",
        "algorithms/kl.py",
        "log_ratio = zeroed(ref_logprobs - logprobs, mask)",
        "log_ratio = zeroed(logprobs - ref_logprobs, mask)",
        (KL,),
    ),
    Mutation(
        "k3 overflows",
        "algorithms/kl.py",
        "log_ratio.clamp(max=20.0)",
        "log_ratio",
        (KL,),
    ),
    Mutation(
        "the adaptive coefficient moves the wrong way",
        "algorithms/kl.py",
        "1.0 + error * num_episodes",
        "1.0 - error * num_episodes",
        (KL,),
    ),
    Mutation(
        "the adaptive coefficient's error is not clipped",
        "algorithms/kl.py",
        "min(max(kl / target - 1.0, -clip), clip)",
        "kl / target - 1.0",
        (KL,),
    ),
]
