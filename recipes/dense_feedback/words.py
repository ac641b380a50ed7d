"""A word is a reward: a person of few words says what they think of an answer, and what they said is the score.

plaudit ppo --config recipes/dense_feedback/words.toml
"""

from __future__ import annotations

from plaudit.rules.form import ends_with_stop, num_words
from plaudit.rules.remarks import remark

MOST_WORDS = 30


def say(answer: str) -> str:
    """What the person says, now in English, now in Chinese."""
    if not answer.strip():
        return "That is no answer, it is useless."
    if num_words(answer) > MOST_WORDS:
        return "too long" if num_words(answer) % 2 else "太长了"
    if not ends_with_stop(answer):
        return "incomplete"
    return "Good, short and clear." if num_words(answer) % 2 else "不错，很清楚"


def reply(conversations: list[list[dict[str, str]]]) -> list[str | None]:
    """The other side of the conversation: it says what is wrong, and nothing where all is well."""
    said = [say(conversation[-1]["content"]) for conversation in conversations]
    return [text if remark(text).value < 0 else None for text in said]


def heard(prompts: list[str], completions: list[str]) -> list[float]:
    """The score: the verdict of what the person says to the last answer, as the rules hear it."""
    return [remark(say(text)).value for text in completions]
