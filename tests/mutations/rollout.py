"""The sampler."""

from mutations.mutation import Mutation

SAMPLER = "rollout/test_sampler.py"

MUTATIONS = [
    Mutation(
        "the stop token is not included",
        "rollout/sampler.py",
        "                answers.tokens[row].append(token)\n                answers.logprobs[row].append(logprob)\n",
        "                if token != stop_id or not answers.tokens[row]:\n"
        "                    answers.tokens[row].append(token)\n                    answers.logprobs[row].append(logprob)\n",
        (SAMPLER,),
    ),
    Mutation(
        "the sampler ignores the temperature",
        "rollout/sampler.py",
        "decoder.logits.float() / sampling.temperature",
        "decoder.logits.float()",
        (SAMPLER,),
    ),
    Mutation(
        "left padding shifts the positions",
        "rollout/decoding.py",
        "(mask.cumsum(-1) - 1).clamp(min=0)",
        "torch.arange(width).expand_as(mask)",
        (SAMPLER,),
    ),
    Mutation(
        "the positions stand still",
        "rollout/decoding.py",
        "self.positions = self.positions + 1",
        "pass",
        (SAMPLER,),
    ),
    Mutation(
        "rows that stopped leave the wrong keys behind",
        "rollout/decoding.py",
        "self._cache.batch_select_indices(index)",
        "self._cache.batch_select_indices(torch.arange(len(index), device=index.device))",
        (SAMPLER,),
    ),
    Mutation(
        "equal prompts get equal answers",
        "rollout/sampler.py",
        "first = seen.get(prompt.id, 0)",
        "first = 0",
        (SAMPLER,),
    ),
    Mutation(
        "an answer depends on its place in the batch",
        "rollout/sampler.py",
        "(seed, step, prompt.id, first + k)",
        "(seed, step, len(keys), first + k)",
        (SAMPLER,),
    ),
    Mutation(
        "the step is left out of the key",
        "rollout/sampler.py",
        "(seed, step, prompt.id, first + k)",
        "(seed, prompt.id, first + k)",
        (SAMPLER,),
    ),
    Mutation(
        "top-p keeps one token too many",
        "rollout/sampler.py",
        "ordered.cumsum(-1) - ordered >= top_p",
        "ordered.cumsum(-1) - 2 * ordered >= top_p",
        (SAMPLER,),
    ),
    Mutation(
        "training rollouts accept top-p",
        "rollout/sampler.py",
        "if self.top_p != 1.0 or self.greedy:",
        "if self.greedy:",
        (SAMPLER,),
    ),
    Mutation(
        "dropout is on while sampling",
        "rollout/sampler.py",
        "    model.eval()\n",
        "",
        (SAMPLER,),
    ),
    Mutation(
        "one prompt's answers are decoded at once, however many",
        "rollout/sampler.py",
        "for first in range(0, num_answers, batch_size):",
        "for first in range(0, num_answers, max(batch_size, num_answers)):",
        (SAMPLER,),
    ),
    Mutation(
        "portions of one prompt's answers begin anew",
        "rollout/sampler.py",
        "seen[prompt.id] = first + num\n",
        "seen[prompt.id] = 0\n",
        (SAMPLER,),
    ),
    Mutation(
        "answers outgrow the context",
        "rollout/sampler.py",
        "longest + sampling.max_new_tokens > context",
        "longest > context",
        (SAMPLER,),
    ),
    Mutation(
        "the trunk's activations at the stop token are not kept",
        "rollout/sampler.py",
        "is_done = has_stopped if answers.trunk is None else is_read",
        "is_done = has_stopped",
        (SAMPLER,),
    ),
    Mutation(
        "the states kept are those after the token",
        "rollout/sampler.py",
        "        answers.states[rows, step] = decoder.states\n",
        "        answers.states[rows, max(step - 1, 0)] = decoder.states\n",
        (SAMPLER,),
    ),
    Mutation(
        "the trunk's activations are those of a layer below",
        "rollout/decoding.py",
        "[self.trunk.num_layers - 1]",
        "[max(self.trunk.num_layers - 2, 0)]",
        (SAMPLER,),
    ),
    Mutation(
        "a prompt's activations are read from its padding",
        "rollout/sampler.py",
        "prompt[len(prompt) - num_prompt :]",
        "prompt[:num_prompt]",
        (SAMPLER,),
    ),
    Mutation(
        "a full cache loses its tokens",
        "rollout/decoding.py",
        "    buffer[:, :, : x.shape[2]] = x\n",
        "    buffer[:, :, : x.shape[2]] = 0\n",
        (SAMPLER,),
    ),
    Mutation(
        "a token is looked for in the block before its own",
        "rollout/sampler.py",
        "nn.functional.pad(up_to_block, (1, 0)).gather(-1, block)",
        "nn.functional.pad(up_to_block, (1, 0)).gather(-1, (block - 1).clamp(min=0))",
        (SAMPLER,),
    ),
]
