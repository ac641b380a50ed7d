"""Continued pretraining on plain documents."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from plaudit.batches.tokens import collated
from plaudit.models.load import Precision, load_causal_lm, load_tokenizer
from plaudit.models.policy import PolicyModel
from plaudit.runs import read_metrics
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Document
from plaudit.text.documents import encoded_documents
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.optimisation import OptimiserKind
from plaudit.trainers.pretrain import PretrainConfig, train
from plaudit.trainers.sft import mean_nll
from tests.trainers.toy import ALL, fast

DOCUMENTS = [Document(text=f"the cat number {i} sat on the mat, and that was that. " * 2) for i in range(12)]


def config_of(out: Path, **changes: object) -> PretrainConfig:
    settings = {
        "model": "tiny",
        "out": str(out),
        "optimiser": fast(),
        "epochs": EpochsConfig(num_epochs=6, batch_size=4),
        "max_tokens": 64,
        "validation_frac": 0.25,
        "precision": Precision.FLOAT32,
        **changes,
    }
    return PretrainConfig(**settings)  # type: ignore[arg-type]


def test_it_learns_to_read(tmp_path: Path) -> None:
    """From log 259 nats a byte; the saved model is the one whose held-out loss is reported."""
    result = train(config_of(tmp_path / "run"), DOCUMENTS)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    losses = [row["validation/loss"] for row in rows if "validation/loss" in row]
    assert rows[0]["train/loss"] == pytest.approx(math.log(259), abs=0.3)
    assert losses[-1] < 2.6
    assert result.fitted.validation is not None
    assert result.fitted.validation["loss"] == min(losses)
    assert load_tokenizer(str(result.folder)).eos_token == "<|end|>"


def test_every_token_of_a_document_is_learnt_and_its_end_too(tmp_path: Path) -> None:
    """`num_tokens` over an epoch: each document's bytes but the first, and one end of sequence; long ones share rows."""
    train(config_of(tmp_path / "run", epochs=EpochsConfig(num_epochs=1, batch_size=4), validation_frac=0), DOCUMENTS)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert sum(row["train/num_tokens"] for row in rows) == sum(len(document.text) for document in DOCUMENTS)


def test_documents_are_held_out_whole(tmp_path: Path) -> None:
    train(config_of(tmp_path / "run"), DOCUMENTS)
    tokenizer = load_tokenizer("tiny")
    per_document = [len(rows) for rows in encoded_documents([d.text for d in DOCUMENTS], tokenizer, max_tokens=64)]
    assert set(per_document) == {2}
    assert "12 documents, 18 rows to learn, 6 held out" in (tmp_path / "run" / "log.txt").read_text()


def test_a_model_without_a_chat_template_will_do(tmp_path: Path) -> None:
    load_causal_lm("tiny").save_pretrained(tmp_path / "base")
    tokenizer = load_tokenizer("tiny")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "base")
    result = train(config_of(tmp_path / "run", model=str(tmp_path / "base")), DOCUMENTS)
    assert AutoTokenizer.from_pretrained(result.folder).chat_template is None
    assert mean_nll_of(str(result.folder)) < mean_nll_of(str(tmp_path / "base")) - 1


def mean_nll_of(folder: str) -> float:
    rows = [
        row for rows in encoded_documents([DOCUMENTS[0].text], load_tokenizer(folder), max_tokens=64) for row in rows
    ]
    return mean_nll(PolicyModel(load_causal_lm(folder), ALL), collated(rows, 0), 2)


def test_a_document_counts_by_its_weight(tmp_path: Path) -> None:
    """At weight 3 like three copies, at weight 0 like none; tokens are counted by weight."""
    once = EpochsConfig(num_epochs=1, batch_size=16)

    def weights(name: str, documents: list[Document]) -> dict[str, torch.Tensor]:
        config = config_of(tmp_path / name, epochs=once, validation_frac=0, optimiser=fast(kind=OptimiserKind.SGD))
        return load_file(train(config, documents).folder / "model.safetensors")

    short = [Document(text=f"{letter} {letter}") for letter in "abcd"]
    heavy = [one.model_copy(update={"weight": x}) for one, x in zip(short, (3.0, 1.0, 0.0, 0.0), strict=True)]
    weighted, copied = weights("weighted", heavy), weights("copied", [*[short[0]] * 3, short[1]])
    assert all(torch.allclose(weighted[name], copied[name], atol=1e-6) for name in copied)
    alike = weights("alike", short[:2])
    assert max(float((weighted[name] - alike[name]).abs().max()) for name in alike) > 1e-4
    (row,) = read_metrics(tmp_path / "weighted" / "metrics.jsonl")
    assert row["train/num_tokens"] == 3 * 3 + 3


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="there is no document to learn from"):
        train(config_of(tmp_path / "run"), [])
