"""Which rows go into which update."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.trainers.minibatches import held_out, permutation, split_evenly, together

seeds = st.integers(0, 2**40)


@given(st.integers(1, 50), seeds, st.integers(0, 9))
def test_a_permutation_holds_everything_once_and_depends_on_its_names_alone(num: int, seed: int, epoch: int) -> None:
    found = permutation(num, seed, "a", epoch)
    assert sorted(found.tolist()) == list(range(num))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(epoch)
        assert torch.equal(permutation(num, seed, "a", epoch), found)


def test_other_names_and_seeds_give_other_orders() -> None:
    found = [
        tuple(permutation(20, seed, name, epoch).tolist()) for seed in (0, 1) for name in "ab" for epoch in (0, 1, 2)
    ]
    assert len(set(found)) == 12


def test_an_order_is_the_same_on_every_machine() -> None:
    """Pinned: an old run can be made again."""
    assert permutation(8, 3, "minibatches", 1, 0).tolist() == [5, 1, 4, 2, 3, 7, 0, 6]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=9), seeds)
def test_groups_are_permuted_and_their_rows_stay_together(sizes: list[int], seed: int) -> None:
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    found = together(torch.tensor(groups), seed, "a").tolist()
    expected = []
    for number in permutation(len(sizes), seed, "a").tolist():
        expected += [row for row, group in enumerate(groups) if group == number]
    assert found == expected


@given(st.integers(1, 60), st.data())
def test_the_parts_are_as_many_as_asked_and_even(num: int, data: st.DataObject) -> None:
    num_parts = data.draw(st.integers(1, num))
    order = permutation(num, 0)
    parts = split_evenly(order, num_parts)
    assert len(parts) == num_parts
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat(parts), order)


prompt_lists = st.lists(st.sampled_from([f"p{i}" for i in range(12)]), min_size=1, max_size=40)


@given(prompt_lists, st.floats(0.01, 0.99), seeds)
def test_a_prompt_is_held_out_with_all_its_rows_or_not_at_all(prompts: list[str], frac: float, seed: int) -> None:
    found = held_out(prompts, frac, seed)
    held = {name for name, out in zip(prompts, found, strict=True) if out}
    kept = {name for name, out in zip(prompts, found, strict=True) if not out}
    assert not held & kept
    num = len(set(prompts))
    if num > 1:
        assert 1 <= len(held) <= num - 1
        assert abs(len(held) - frac * num) <= 1
    else:
        assert not held


@given(prompt_lists, seeds)
def test_what_is_held_out_does_not_depend_on_the_order_of_the_rows(prompts: list[str], seed: int) -> None:
    found = dict(zip(prompts, held_out(prompts, 0.3, seed), strict=True))
    again = dict(zip(prompts[::-1], held_out(prompts[::-1], 0.3, seed), strict=True))
    assert found == again


def test_nothing_is_held_out_where_nothing_shall_be() -> None:
    assert held_out(["a", "b", "a"], 0.0, 0) == [False] * 3


def test_the_seed_chooses_what_is_held_out() -> None:
    prompts = [str(i) for i in range(20)]
    assert len({tuple(held_out(prompts, 0.25, seed)) for seed in range(5)}) == 5
