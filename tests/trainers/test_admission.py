"""What a run learns from: what weighs nothing or is too long is left out and told, what the model cannot read is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from plaudit.models.tiny import tiny_tokenizer
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration, Document, Highlights, Ranking
from plaudit.text.prompts import TooLong
from plaudit.trainers import dpo, ppo, pretrain, reward, rloo, sft, spans
from plaudit.trainers.admission import with_weight
from plaudit.trainers.epochs import EpochsConfig
from tests.trainers import test_dpo, test_pretrain, test_reward, test_rloo, test_sft, test_spans
from tests.trainers.toy import ES, LORA, PROMPTS, demonstrations, experience, ppo_config, rankings

ONCE = EpochsConfig(num_epochs=1, batch_size=8)
Run = Callable[[Path, int, int], object]


def demonstration(length: int, weight: float = 1.0) -> Demonstration:
    """A row of so many tokens: 7 of the template and the question, the rest the answer with its stop token."""
    return Demonstration(prompt=(user("q"),), completion=(assistant("e" * (length - 7)),), weight=weight)


def ranking(length: int) -> Ranking:
    """Two answers, the longer a row of so many tokens."""
    answers = (assistant("e" * (length - 7)),), (assistant("a"),)
    return Ranking(prompt=(user("q"),), completions=answers, ranks=(0, 1))


def fine_tune(out: Path, max_tokens: int, length: int) -> object:
    records = [*demonstrations(8), demonstration(length)]
    return sft.train(test_sft.config_of(out, max_tokens=max_tokens, epochs=ONCE), records)


def read(out: Path, max_tokens: int, length: int) -> object:
    # A document ends with one token more.
    documents = [*test_pretrain.DOCUMENTS, Document(text="e" * (length - 1))]
    return pretrain.train(test_pretrain.config_of(out, max_tokens=max_tokens, epochs=ONCE), documents)


def fit_reward(out: Path, max_tokens: int, length: int) -> object:
    config = test_reward.config_of("tiny", out, max_tokens=max_tokens, epochs=ONCE)
    return reward.train(config, [*rankings(8), ranking(length)])


def prefer(out: Path, max_tokens: int, length: int) -> object:
    config = test_dpo.config_of("tiny", out, max_tokens=max_tokens, epochs=ONCE)
    return dpo.train(config, [*rankings(8), ranking(length)])


def mark(out: Path, max_tokens: int, length: int) -> object:
    long = Highlights(prompt=(user("q"),), completion=(assistant("e" * (length - 7)),), spans=())
    config = test_spans.config_of("tiny", out, max_tokens=max_tokens, epochs=ONCE)
    return spans.train(config, [*test_spans.highlights(8), long])


@pytest.mark.parametrize("run", [fine_tune, read, fit_reward, prefer, mark])
def test_a_row_longer_than_the_models_context_is_refused_before_the_run(tmp_path: Path, run: Run) -> None:
    with pytest.raises(
        PlauditError, match=r"longest row has 513 tokens, and tiny reads 512 at most: set max_tokens to 512 or less"
    ):
        run(tmp_path / "run", 2000, 513)
    assert not (tmp_path / "run").exists()
    run(tmp_path / "run", 2000, 512)
    assert (tmp_path / "run" / "model").exists()


def test_adapters_leave_the_context_as_it_is(start: str, tmp_path: Path) -> None:
    config = test_sft.config_of(tmp_path / "run", model=start, max_tokens=2000, train=LORA)
    with pytest.raises(PlauditError, match=r"longest row has 513 tokens, and .* reads 512 at most"):
        sft.train(config, [demonstration(513)])


def short_sighted(folder: Path) -> str:
    """A model with 64 positions, learnt ones: more are no index of its table."""
    settings = {"vocab_size": 259, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
    config = AutoConfig.for_model("gpt2", **settings, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def test_a_table_of_positions_is_no_longer_run_out_of(tmp_path: Path) -> None:
    model = short_sighted(tmp_path / "model")
    config = test_sft.config_of(tmp_path / "run", model=model, epochs=ONCE)
    with pytest.raises(PlauditError, match=f"longest row has 100 tokens, and {model} reads 64 at most"):
        sft.train(config, [*demonstrations(4), demonstration(100)])
    sft.train(config, [*demonstrations(4), demonstration(64)])


ASKED: list[Messages] = [*PROMPTS, (user("x" * 480),)]  # the last of 485 tokens


@pytest.mark.parametrize("trainer", [ppo, rloo])
def test_a_prompt_without_room_for_an_answer_is_refused_before_the_run(
    start: str, tmp_path: Path, trainer: object
) -> None:
    """Whichever step it would come up in."""

    def run(name: str, max_new_tokens: int, **settings: object) -> None:
        answers = experience(prompts_per_step=1, answers_per_prompt=2, max_new_tokens=max_new_tokens, **settings)
        made = {"num_steps": 1, "num_minibatches": 1, "experience": answers, "prompt_too_long": TooLong.DROP}
        config = ppo_config if trainer is ppo else test_rloo.config_of
        trainer.train(config(start, tmp_path / name, **made), ASKED, scorer=ES)  # type: ignore[attr-defined]

    says = "longest prompt has 485 tokens: with an answer of up to experience.sampling.max_new_tokens = 28"
    with pytest.raises(PlauditError, match=rf"{says} .* set experience.max_prompt_tokens to 484 or less \(prompt_too"):
        run("run", 28)
    with pytest.raises(PlauditError, match=r"512 .* reads. lower experience.sampling.max_new_tokens"):
        run("run", 512)
    assert not (tmp_path / "run").exists()
    run("fits", 27)
    run("dropped", 28, max_prompt_tokens=484)


def log_of(run: Path) -> list[str]:
    """What the log says, times cut off."""
    return [line.partition(" ")[2] for line in (run / "log.txt").read_text().splitlines()]


def test_prompts_and_demonstrations_that_are_left_out_are_told(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log and on the terminal, though they are known before there is a run."""
    answers = experience(max_prompt_tokens=40)
    config = ppo_config(start, tmp_path / "run", prompt_too_long=TooLong.DROP, experience=answers, ptx_coef=0.1)
    records = [*demonstrations(4), *[demonstration(1000)] * 3, demonstration(513), *[demonstration(20, 0.0)] * 2]
    ppo.train(config, [*ASKED, (user("y" * 100),)], scorer=ES, demonstrations=records)
    expected = [
        "left out 2 prompts: over experience.max_prompt_tokens = 40",
        "left out 2 demonstrations of the PTX term: weight 0",
        "left out 4 demonstrations of the PTX term: over 512 tokens",
    ]
    assert log_of(tmp_path / "run") == expected
    told = capsys.readouterr().err
    assert [told.count(f"ppo: {line}\n") for line in expected] == [1, 1, 1]


def fewer_demonstrations(out: Path) -> tuple[str, list[str]]:
    config = test_sft.config_of(out, max_tokens=64, drop_too_long=True, epochs=ONCE)
    sft.train(config, [*demonstrations(8), *[demonstration(65)] * 2, *[demonstration(20, 0.0)] * 3])
    return "sft", ["left out 3 demonstrations: weight 0", "left out 2 demonstrations: over max_tokens = 64"]


def fewer_documents(out: Path) -> tuple[str, list[str]]:
    pretrain.train(
        test_pretrain.config_of(out, epochs=ONCE), [*test_pretrain.DOCUMENTS, Document(text="x", weight=0.0)]
    )
    return "pretrain", ["left out 1 documents: weight 0"]


def fewer_marks(out: Path) -> tuple[str, list[str]]:
    weightless = test_spans.highlights(1)[0].model_copy(update={"weight": 0.0})
    config = test_spans.config_of("tiny", out, max_tokens=19, epochs=ONCE)
    spans.train(config, [*test_spans.highlights(30), weightless])
    over = sum(len(record.prompt[0].text) + len(record.completion[0].text) > 13 for record in test_spans.highlights(30))
    assert 0 < over < 30
    return "spans", ["left out 1 marked answers: weight 0", f"left out {over} marked answers: over max_tokens = 19"]


def pairs() -> list[Ranking]:
    """Eight to learn from, one without a verdict, one without weight, two too long."""
    unranked, weightless = (
        record.model_copy(update={"prompt": (user(f"z{i}"),)}) for i, record in enumerate(rankings(2))
    )
    unranked = unranked.model_copy(update={"ranks": (None, None, 0)})
    weightless = weightless.model_copy(update={"weight": 0.0})
    long = [ranking(101).model_copy(update={"prompt": (user(name),)}) for name in "xy"]
    return [*rankings(8), unranked, weightless, *long]


PAIRS_LEFT_OUT = [
    "left out 2 prompts: no verdict of any weight on two of their answers",
    "left out 2 prompts: over max_tokens = 100",
]


def fewer_rankings(out: Path) -> tuple[str, list[str]]:
    config = test_reward.config_of("tiny", out, max_tokens=100, drop_too_long=True, epochs=ONCE)
    reward.train(config, pairs())
    return "reward", PAIRS_LEFT_OUT


def fewer_preferences(out: Path) -> tuple[str, list[str]]:
    dpo.train(test_dpo.config_of("tiny", out, max_tokens=100, drop_too_long=True, epochs=ONCE), pairs())
    return "dpo", PAIRS_LEFT_OUT


@pytest.mark.parametrize("run", [fewer_demonstrations, fewer_documents, fewer_marks, fewer_rankings, fewer_preferences])
def test_records_that_are_left_out_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Callable[[Path], tuple[str, list[str]]]
) -> None:
    command, expected = run(tmp_path / "run")
    assert [line for line in log_of(tmp_path / "run") if line.startswith("left out")] == expected
    told = capsys.readouterr().err
    assert [line for line in told.splitlines() if "left out" in line] == [f"{command}: {line}" for line in expected]


def test_nothing_is_told_where_nothing_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sft.train(test_sft.config_of(tmp_path / "run", epochs=ONCE), demonstrations(8))
    assert "left out" not in (tmp_path / "run" / "log.txt").read_text() + capsys.readouterr().err


def test_records_of_no_weight_at_all_are_refused() -> None:
    records = [demonstration(20, weight) for weight in (0.0, 0.5, 0.0)]
    assert with_weight(records, "demonstrations") == [records[1]]
    assert with_weight([], "demonstrations") == []
    with pytest.raises(PlauditError, match="all 2 demonstrations have weight 0"):
        with_weight(records[::2], "demonstrations")


def asking(length: int, name: str) -> Ranking:
    """A prompt of so many tokens."""
    return Ranking(
        prompt=(user(name + "y" * (length - 5 - len(name))),),
        completions=((assistant("e"),), (assistant("a"),)),
        ranks=(0, 1),
    )


def test_prompts_without_room_are_left_out_of_the_normalisation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its answers may have 64 tokens, so that a prompt may have 448 of the 512; the others are answered."""
    records = [*(asking(449, name) for name in "abc"), asking(448, "d"), *rankings(4)]
    config = test_reward.config_of("tiny", tmp_path / "run", normalise_on="sampled", epochs=ONCE)
    result = reward.train(config, records)
    assert (
        "left out 3 prompts of the normalisation: no room for an answer in the model's context"
        in capsys.readouterr().err
    )
    assert result.folder.exists()
    # As many prompts as answers are wanted are asked, and those without room are not among them.
    again = reward.train(replace(config, out=str(tmp_path / "few"), num_reference_answers=2), records)
    assert again.folder.exists()


def test_a_normalisation_without_any_prompt_is_refused_before_the_fit(tmp_path: Path) -> None:
    records = [asking(460, name) for name in "abcd"]
    config = test_reward.config_of("tiny", tmp_path / "run", normalise_on="sampled", epochs=ONCE)
    with pytest.raises(
        PlauditError, match=r"answer of 64 tokens in the model's context of 512.*normalise_on to 'data'"
    ):
        reward.train(config, records)
    assert not (tmp_path / "run").exists()
    reward.train(replace(config, normalise_on="data"), records)


def test_a_references_own_context_counts(tmp_path: Path) -> None:
    config = test_reward.config_of("tiny", tmp_path / "run", normalise_on="sampled", epochs=ONCE)
    model = short_sighted(tmp_path / "model")
    with pytest.raises(PlauditError, match="context of 64"):
        reward.train(replace(config, reference=model), rankings(4))
    assert not (tmp_path / "run").exists()
