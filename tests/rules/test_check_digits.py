"""Check digits against numbers worked by hand and against every single wrong digit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plaudit.rules.check_digits import is_public_service_number, is_resident_number, passes_luhn, passes_mod_97

# Published as examples by those who give the numbers out, or worked from their formulas; none is anybody's.
RIGHT: list[tuple[Callable[[str], bool], str]] = [
    (passes_luhn, "79927398713"),
    (passes_luhn, "4111111111111111"),
    (passes_luhn, "378282246310005"),
    (passes_luhn, "046454286"),
    (passes_mod_97, "GB82WEST12345698765432"),
    (passes_mod_97, "DE89370400440532013000"),
    (passes_mod_97, "FR1420041010050500013M02606"),
    (is_resident_number, "11010519491231002X"),
    (is_resident_number, "440524188001010014"),
    (is_public_service_number, "1234567T"),
    (is_public_service_number, "1234567FA"),
]


@pytest.mark.parametrize(("check", "number"), RIGHT)
def test_a_right_number_passes_and_none_with_another_digit(check: Callable[[str], bool], number: str) -> None:
    assert check(number)
    for place, char in enumerate(number):
        # An IBAN's country and a resident number's date and province have rules of their own, below.
        if char.isdigit() and not (check is is_resident_number and place < 14):
            for other in set("0123456789") - {char}:
                assert not check(number[:place] + other + number[place + 1 :])


def test_luhn_by_hand() -> None:
    """5 9: 9 + (2 * 5 - 9) = 10. 1 8: 8 + 2 * 1 = 10."""
    assert passes_luhn("59")
    assert passes_luhn("18")
    assert not passes_luhn("58")


def test_a_resident_number_by_hand() -> None:
    """1 1 0 1 0 1 2 0 0 0 0 2 2 9 0 0 0 by 7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2 is 112 = 10 * 11 + 2: X stands for 2."""
    assert sum((7, 9, 5, 4, 2 * 2, 2 * 9, 2 * 10, 9 * 5)) == 112
    assert is_resident_number("11010120000229000X")
    assert is_resident_number("11010120000229000x")


def _with_check_character(body: str) -> str:
    """Slowly: the character with which the weighted sum, itself weighing one, is 1 over 11 (ISO 7064)."""
    weights = [pow(2, 17 - place, 11) for place in range(18)]
    for char in "0123456789X":
        values = [10 if one == "X" else int(one) for one in body + char]
        if sum(weight * value for weight, value in zip(weights, values, strict=True)) % 11 == 1:
            return body + char
    raise AssertionError(body)


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ("11010119900307001", True),
        ("65010020041130456", True),
        ("83000019601231789", True),
        ("11010119900230001", False),  # no such day
        ("11010119901301001", False),  # no such month
        ("11010118000101001", False),  # nobody is so old
        ("16010119900307001", False),  # no such province
        ("99010119900307001", False),
    ],
)
def test_a_resident_number_names_a_province_and_a_day(body: str, right: bool) -> None:
    assert is_resident_number(_with_check_character(body)) is right


def test_a_second_letter_of_w_weighs_nothing() -> None:
    assert is_public_service_number("1234567TW")
    assert not is_public_service_number("1234567TA")
