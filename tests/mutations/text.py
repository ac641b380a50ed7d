"""Ids, masks and the stop token."""

from mutations.mutation import Mutation

CHAT = "text/test_chat.py"
IMPLIED = "schemas/test_implied.py"

MUTATIONS = [
    Mutation(
        "the stop token is dropped from the mask",
        "text/chat.py",
        "[True] * len(answer)",
        "[True] * (len(answer) - 1) + [False]",
        (CHAT,),
    ),
    Mutation(
        "the stop token is not written",
        "text/chat.py",
        "return ids[: last_stop + 1]",
        "return ids[:last_stop]",
        (CHAT,),
    ),
    Mutation(
        "the newline after the stop token is kept",
        "text/chat.py",
        "return ids[: last_stop + 1]",
        "return ids",
        (CHAT,),
    ),
    Mutation(
        "the person's turn is trained on",
        "text/chat.py",
        "[False] * len(between)",
        "[i >= len(self.prompt_ids(prompt)) for i in range(len(between))]",
        (CHAT,),
    ),
    Mutation(
        "pad and stop are one token",
        "text/chat.py",
        "candidate >= 0 and candidate != self.stop_id",
        "candidate >= 0",
        (CHAT,),
    ),
    Mutation(
        "a truncated answer gets a stop token",
        "text/chat.py",
        "end = len(token_ids) - 1 if truncated else len(token_ids)",
        "end = len(token_ids)",
        (CHAT, "text/test_preferences.py"),
    ),
    Mutation(
        "a prompt that is refused names settings that the caller lacks",
        "text/prompts.py",
        "next_step = next_step or (",
        "next_step = (",
        ("text/test_prompts.py", "evaluation/test_evaluate.py"),
    ),
    Mutation(
        "long demonstrations are found out after the sampling",
        "evaluation/evaluate.py",
        "            measured_rows(demonstrations, codec, config.max_tokens)\n",
        "            pass\n",
        ("evaluation/test_evaluate.py", "cli/test_evaluate.py"),
    ),
    Mutation(
        "the last turn is cut",
        "text/prompts.py",
        "    return None\n",
        "    return (*system, turns[-1])\n",
        ("text/test_prompts.py",),
    ),
    Mutation(
        "an answer's mask reaches into the padding",
        "batches/tokens.py",
        "attention_mask[i, : len(row.token_ids)] = True",
        "attention_mask[i] = True",
        ("batches/test_tokens.py",),
    ),
    Mutation(
        "a message can write special tokens",
        "text/chat.py",
        "self._quoted(message.text)",
        "message.text",
        (CHAT,),
    ),
    Mutation(
        "the stop token must have a role",
        "text/chat.py",
        "if token in self._special_ids:",
        "if token in self.tokenizer.all_special_ids:",
        (CHAT,),
    ),
    Mutation(
        "the lowest rating is the best answer",
        "schemas/implied.py",
        "sum(other > score for other in scores)",
        "sum(other < score for other in scores)",
        (IMPLIED,),
    ),
    Mutation(
        "two people's scores are compared",
        "schemas/implied.py",
        'include={"prompt", "annotator", ',
        'include={"prompt", ',
        (IMPLIED,),
    ),
    Mutation(
        "two scales are compared",
        "schemas/implied.py",
        '"source", "minimum", "maximum"}',
        '"source"}',
        (IMPLIED,),
    ),
    Mutation(
        "a correction loses to what it was made from",
        "schemas/implied.py",
        "verdict=Verdict.A",
        "verdict=Verdict.B",
        (IMPLIED,),
    ),
]
