"""Is a number what it says it is? The check digits of payment cards, bank accounts and identity numbers.

Every function takes the number without spaces and hyphens, of the length its pattern promises.
"""

from __future__ import annotations

from datetime import date
from string import ascii_uppercase

_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES = frozenset(map(str, (*range(11, 16), 21, 22, 23, *range(31, 38), *range(41, 47), *range(50, 55))))
_PROVINCES |= frozenset(map(str, (*range(61, 66), 71, 81, 82, 83)))
_FIRST_BIRTH_YEAR = 1880


def passes_luhn(number: str) -> bool:
    """Every second digit from the right doubled, nines cast out: the sum ends in 0 (ISO/IEC 7812-1, annex B)."""
    digits = [int(char) for char in reversed(number)]
    return sum(digits[::2] + [2 * digit - 9 * (digit > 4) for digit in digits[1::2]]) % 10 == 0


def passes_mod_97(number: str) -> bool:
    """The first four characters moved to the end and letters read as 10 to 35, it leaves 1 over 97 (ISO 13616-1)."""
    return int("".join(str(int(char, 36)) for char in number[4:] + number[:4])) % 97 == 1


def is_resident_number(number: str) -> bool:
    """China's 18 characters: a province, a day that was, and the last character right (GB 11643-1999; ISO 7064, MOD 11-2)."""
    try:
        born = date.fromisoformat(number[6:14])
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_WEIGHTS, number[:17], strict=True))
    is_right = number[17].upper() == "10X98765432"[total % 11]
    return is_right and number[:2] in _PROVINCES and born.year >= _FIRST_BIRTH_YEAR


def is_public_service_number(number: str) -> bool:
    """Ireland's seven digits, check letter and sometimes a second letter: the weighted sum over 23 names the letter."""
    second = ascii_uppercase.index(number[8]) + 1 if number[8:] not in ("", "W") else 0
    total = sum(weight * int(digit) for weight, digit in zip(range(8, 1, -1), number[:7], strict=True)) + 9 * second
    return number[7] == ("W" + ascii_uppercase)[total % 23]
