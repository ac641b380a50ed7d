"""The loop of fine-tuning, reward models and DPO: epochs, validation, early stopping, resuming."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from plaudit.checkpoints.folder import latest_checkpoint
from plaudit.runs import RunDirectory, read_metrics
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.epochs import EpochsConfig, Fitted, fit
from plaudit.trainers.memory import Portions
from plaudit.trainers.optimisation import OptimiserConfig, OptimiserKind, Schedule

# One unit down for every update: the parameter counts them.
COUNTING = OptimiserConfig(
    kind=OptimiserKind.RMSPROP, learning_rate=0.1, schedule=Schedule.CONSTANT, warmup_frac=0, max_grad_norm=1e9
)


class Scripted:
    """Ten items; the validation losses are given; `weight` remembers how many updates were made."""

    def __init__(self, losses: list[float] | None, train_loss: float = 1.0) -> None:
        self.weight = nn.Parameter(torch.zeros(1))
        self.losses, self.train_loss = losses, train_loss
        self.seen: list[list[int]] = []
        self.num_validations = 0
        self.portions = Portions(8)

    @property
    def num_items(self) -> int:
        return 10

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield "weight", self.weight

    def backward(self, index: Tensor) -> dict[str, float]:
        self.seen.append(index.tolist())
        self.weight.grad = torch.ones(1)
        return {"loss": self.train_loss, "size": float(len(index))}

    def validation(self) -> dict[str, float] | None:
        if self.losses is None:
            return None
        # By the epoch the weight stands for, so that a resumed run asks for the right one.
        self.num_validations += 1
        return {"loss": self.losses[len(self.seen) // 3 - 1 + self.offset], "other": 7.0}

    offset = 0


def run_in(path: Path, *, resume: bool = False) -> RunDirectory:
    return RunDirectory.create(path, command="sft", config={}, seed=0, resume=resume)


def fitted(objective: Scripted, path: Path, *, resume: bool = False, **settings: int | bool) -> Fitted:
    config = EpochsConfig(**{"batch_size": 4, "num_epochs": 4, **settings})  # type: ignore[arg-type]
    with run_in(path, resume=resume) as run:
        return fit(objective, config, COUNTING, run, seed=0, resume=resume)


def test_every_epoch_sees_every_item_once_in_a_new_order(tmp_path: Path) -> None:
    objective = Scripted(None)
    found = fitted(objective, tmp_path / "run")
    assert (found.num_updates, found.best_epoch, found.validation) == (12, 4, None)
    assert [len(index) for index in objective.seen] == [4, 4, 2] * 4
    epochs = [tuple(x for index in objective.seen[i : i + 3] for x in index) for i in range(0, 12, 3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len(set(epochs)) == 4


@pytest.mark.parametrize(
    ("losses", "patience", "best", "num_epochs"),
    [
        ([4.0, 3.0, 2.0, 1.0], 1, 4, 4),
        ([1.0, 2.0, 0.5, 0.1], 1, 1, 2),
        ([1.0, 2.0, 0.5, 0.9], 2, 3, 4),
        ([1.0, 2.0, 3.0, 0.1], 2, 1, 3),
        ([1.0, 1.0, 0.5, 0.1], 1, 1, 2),  # as good is not better
    ],
)
def test_the_best_epochs_weights_are_kept(
    tmp_path: Path, losses: list[float], patience: int, best: int, num_epochs: int
) -> None:
    objective = Scripted(losses)
    found = fitted(objective, tmp_path / "run", patience=patience)
    weights = Scripted(losses)
    reference = fitted(weights, tmp_path / "reference", num_epochs=best, patience=99)
    assert (found.num_updates, found.best_epoch) == (3 * num_epochs, best)
    assert found.validation == reference.validation == {"loss": losses[best - 1], "other": 7.0}
    assert torch.equal(objective.weight, weights.weight)
    log = tmp_path / "run" / "log.txt"
    assert log.exists() == (num_epochs < 4)
    if log.exists():
        assert f"stopped after epoch {num_epochs}: no better validation loss for {patience} epochs" in log.read_text()


def test_metrics_name_the_update_the_epoch_and_the_rate(tmp_path: Path) -> None:
    fitted(Scripted([2.0, 1.0]), tmp_path / "run", num_epochs=2)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 3, 4, 5, 6, 6]
    train = [row for row in rows if "train/loss" in row]
    assert [row["epoch"] for row in train] == [1, 1, 1, 2, 2, 2]
    assert {row["lr"] for row in train} == {0.1}
    assert {row["grad_norm"] for row in train} == {1.0}
    assert [row["train/size"] for row in train] == [4, 4, 2] * 2
    assert [row["validation/loss"] for row in rows if "validation/loss" in row] == [2.0, 1.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_checkpoints(tmp_path: Path, bad: float) -> None:
    objective = Scripted([3.0, bad, 1.0, 1.0])
    with pytest.raises(PlauditError, match=rf"validation loss is {bad} after 6 updates: lower learning_rate"):
        fitted(objective, tmp_path / "run")
    with run_in(tmp_path / "run", resume=True) as run:
        step, saved = latest_checkpoint(run)
    assert (step, saved.state["epoch"]) == (3, 1)
    with pytest.raises(PlauditError, match=rf"the loss is {bad} after 0 updates: .*plaudit data check"):
        fitted(Scripted(None, train_loss=bad), tmp_path / "other")


def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    """Wherever it was cut: after the second epoch was saved, in the middle of the third, or when it had ended."""
    losses = [3.0, 2.0, 2.5, 1.0, 4.0, 5.0, 6.0, 7.0]
    whole = Scripted(losses)
    expected = fitted(whole, tmp_path / "whole", num_epochs=8, patience=2)
    assert (expected.best_epoch, expected.num_updates) == (4, 18)
    rows = read_metrics(tmp_path / "whole" / "metrics.jsonl")
    for num_batches in (6, 7, 8, 17):
        path = tmp_path / f"cut-{num_batches}"
        first = Scripted(losses)
        backward = first.backward

        def cut(index: Tensor, first: Scripted = first, backward: object = backward, at: int = num_batches) -> object:
            if len(first.seen) == at:
                raise KeyboardInterrupt
            return backward(index)  # type: ignore[operator]

        first.backward = cut  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            fitted(first, path, num_epochs=8, patience=2)
        second = Scripted(losses)
        second.offset = num_batches // 3
        found = fitted(second, path, num_epochs=8, patience=2, resume=True)
        assert found == expected
        assert torch.equal(second.weight, whole.weight)
        again = read_metrics(path / "metrics.jsonl")
        assert [{**row, "time": 0} for row in again] == [{**row, "time": 0} for row in rows]


def test_a_run_resumed_where_its_patience_had_ended_does_not_train_on(tmp_path: Path) -> None:
    """Killed after the last checkpoint and before the model was written."""
    losses = [1.0, 2.0, 0.1, 0.1]
    first = Scripted(losses)
    expected = fitted(first, tmp_path / "run")
    assert (expected.best_epoch, expected.num_updates) == (1, 6)
    second = Scripted(losses)
    second.offset = 2
    assert fitted(second, tmp_path / "run", resume=True) == expected
    assert not second.seen
    assert torch.equal(first.weight, second.weight)


def test_two_checkpoints_are_kept_or_none(tmp_path: Path) -> None:
    fitted(Scripted(None), tmp_path / "run")
    fitted(Scripted(None), tmp_path / "none", checkpoint=False)
    assert run_in(tmp_path / "run", resume=True).checkpoint_steps() == [9, 12]
    assert run_in(tmp_path / "none", resume=True).checkpoint_steps() == []


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_run_cut_before_its_first_checkpoint_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], checkpoint: bool
) -> None:
    """In the first epoch, or in any where none is written."""
    whole = Scripted(None)
    expected = fitted(whole, tmp_path / "whole", checkpoint=checkpoint)
    first, num_batches = Scripted(None), 2 if checkpoint else 7
    backward = first.backward

    def cut(index: Tensor) -> dict[str, float]:
        if len(first.seen) == num_batches:
            raise KeyboardInterrupt
        return backward(index)

    first.backward = cut  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        fitted(first, tmp_path / "cut", checkpoint=checkpoint)
    capsys.readouterr()
    second = Scripted(None)
    assert fitted(second, tmp_path / "cut", checkpoint=checkpoint, resume=True) == expected
    assert second.seen == whole.seen
    rows, again = (read_metrics(tmp_path / run / "metrics.jsonl") for run in ("whole", "cut"))
    assert [{**row, "time": 0} for row in again] == [{**row, "time": 0} for row in rows]
    assert "there is no checkpoint yet: beginning from the start" in (tmp_path / "cut" / "log.txt").read_text()
    assert "sft: there is no checkpoint yet: beginning from the start" in capsys.readouterr().err


def test_another_number_of_threads_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(Scripted(None), tmp_path / "run")
    fitted(Scripted(None), tmp_path / "run", resume=True)
    assert "threads" not in capsys.readouterr().err
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    fitted(Scripted(None), tmp_path / "run", resume=True)
    says = "the checkpoint was saved with 1 threads, now there are 7: from here on the numbers equal those of an uninterrupted"
    assert f"sft: {says}" in capsys.readouterr().err
    assert says in (tmp_path / "run" / "log.txt").read_text()


def test_a_damaged_checkpoint_is_named_on_the_terminal_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(Scripted(None), tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-000012" / "state.json").write_text("{}")
    capsys.readouterr()
    fitted(Scripted(None), tmp_path / "run", resume=True)
    assert "step-000012 is damaged: state.json is not what was written; using the one before" in capsys.readouterr().err
