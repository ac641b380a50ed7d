"""Where does a text hold a person's data? E-mail, phone, payment card, identity number, IP address, IBAN, by their shape.

Identity numbers: the United States' (SSN), Britain's (NI), Canada's (SIN), Ireland's (PPS) and China's resident number. Phone
numbers: any that begins with + and a country code; without one those of North America, Britain, Australia and China.

What it cannot do: it finds what has a shape of its own and separators or a check digit to prove it. Names, postal addresses,
birthdays and user names have none and pass. So do ten digits run together with no word such as "phone" or 电话 before them.
Other numbers may have such a shape by chance: one in ten that begin like a card and are as long pass a card's check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from plaudit.rules.check_digits import is_public_service_number, is_resident_number, passes_luhn, passes_mod_97


class PersonalKind(StrEnum):
    """What was found. Of two that claim the same characters the first in this list has them."""

    EMAIL = "email"
    IBAN = "iban"
    IDENTITY_NUMBER = "identity_number"
    PAYMENT_CARD = "payment_card"
    PHONE = "phone"
    IP_ADDRESS = "ip_address"

    @property
    def placeholder(self) -> str:
        """What stands in its place: [EMAIL], [PAYMENT_CARD]."""
        return f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class PersonalSpan:
    """`text[start:end]` is personal data of this kind."""

    start: int
    end: int
    kind: PersonalKind


def personal_spans(text: str) -> tuple[PersonalSpan, ...]:
    """Where the text holds personal data, in order, no two overlapping.

    Chinese needs no spaces around a number; digits and letters may be full-width. A number within a web address is part of
    the address, and loopback addresses, network masks and versions are nobody's.
    """
    plain = text.translate(_NARROW)
    urls = [match.span() for match in _URL.finditer(plain)]
    found = []
    for kind, pattern, is_genuine in _SHAPES if _DIGIT.search(plain) else (_EMAIL_SHAPE,):
        for match in pattern.finditer(plain):
            start, end = match.span("it")
            is_part = kind in _PART_OF_URLS and any(a <= start and end <= b for a, b in urls)
            if not is_part and is_genuine(match["it"]):
                found.append(PersonalSpan(start, end, kind))
    rank = list(PersonalKind).index
    return tuple(_apart(sorted(found, key=lambda span: (span.start, -span.end, rank(span.kind)))))


def redacted(text: str) -> str:
    """The text with a placeholder such as [PHONE] for all personal data found. Redacted again, it stays as it is."""
    # What is taken out may have hidden its neighbour, so until nothing is found; a placeholder is no find, so that ends.
    while spans := personal_spans(text):
        for span in reversed(spans):
            text = text[: span.start] + span.kind.placeholder + text[span.end :]
    return text


def _apart(spans: list[PersonalSpan]) -> Iterator[PersonalSpan]:
    end = 0
    for span in spans:
        if span.start >= end:
            yield span
            end = span.end


# One character for one, so that places stay places. Full-width commas and colons are left: they part numbers.
_NARROW = {
    code + 0xFEE0: code for code in map(ord, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@+-.()_")
}
_NARROW |= {ord(char): ord("-") for char in "‐‑‒–—−"} | {ord(char): ord(" ") for char in "\u3000\u00a0\u2009\u202f"}
_URL = re.compile(r"(?:https?|ftp)://[!-~]+|\bwww\.[!-~]+")
_PART_OF_URLS = set(PersonalKind) - {PersonalKind.EMAIL, PersonalKind.IP_ADDRESS}

# Where no other number, word or decimal goes on, and no sum of money stands.
_START = r"(?<![0-9A-Za-z_])(?<![0-9][.\-])(?<![$€£¥￥+])(?<![$€£¥￥] )"
_END = r"(?![0-9A-Za-z_])(?![.\-][0-9])(?! ?(?:[美港日欧]?元|%))"

_AT, _DOT = r"(?:@| ?[\[(] ?at ?[\])] ?)", r"(?:\.| ?[\[(] ?dot ?[\])] ?)"
_LABEL = r"[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?"
# Two letters are a country; the others are those people have addresses under. `x@layer.weight` is a product of matrices.
_TOP_LEVEL = (
    "[a-z]{2}|com|net|org|edu|gov|mil|int|info|biz|name|pro|app|dev|xyz|online|site|shop|store|tech|cloud|email|live|"
    "mobi|top|club|vip|wang|asia|museum|travel|jobs|social|chat|world|company|blog|space|life|academy|test|example|invalid"
)
_EMAIL = (
    rf"(?<![a-z0-9._%+\-])(?!git@)(?P<it>[a-z0-9_][a-z0-9._%+\-]{{0,63}}{_AT}"
    rf"(?:{_LABEL}{_DOT}){{1,5}}(?:{_TOP_LEVEL}))(?![a-z0-9])"
)

# The prefixes that China's networks were given.
_CHINESE_MOBILE = (
    r"1(?:3[0-9]|4[05-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])(?P<gap>[ \-]?)[0-9]{4}(?P=gap)[0-9]{4}"
)
_PHONES = (
    r"\+[1-9](?:[ .\-]?\(?[0-9]\)?){7,14}",
    rf"(?:(?:00)?86[ \-]?)?{_CHINESE_MOBILE}",
    r"(?:\(0(?:10|2[0-9]|[3-9][0-9]{2})\) ?|0(?:10|2[0-9]|[3-9][0-9]{2})[ \-])[2-8][0-9]{2,3}[ \-]?[0-9]{4}(?:-[0-9]{1,5})?",
    r"(?:1[ .\-])?(?:\([0-9]{3}\) ?[0-9]{3}[ .\-]|[0-9]{3}-[0-9]{3}-)[0-9]{4}",
    r"(?<![0-9] )(?:1[ .\-])?[2-9][0-9]{2}(?P<gap>[ .])[2-9][0-9]{2}(?P=gap)[0-9]{4}(?! [0-9])",
    r"07[0-9]{3} ?[0-9]{3} ?[0-9]{3}|\(?02[0-9]\)?[ \-][0-9]{4}[ \-][0-9]{4}",
    r"\(?01[0-9]{2}\)?[ \-][0-9]{3}[ \-][0-9]{4}|\(?01[0-9]{3}\)?[ \-][0-9]{3} ?[0-9]{3}",
    r"04[0-9]{2}[ \-][0-9]{3}[ \-][0-9]{3}|\(0[2378]\) ?[0-9]{4} ?[0-9]{4}",
)
_AFTER_A_WORD = (
    r"(?:(?i:\b(?:tel|telephone|phone|mobile|fax|whatsapp)\b(?: (?:number|no\.?|is|at|on))*"
    r"|\b(?:call|text|reach|ring|contact) (?:me|us|him|her|them)\b(?: (?:at|on))?)"
    r"|(?:电话|電話|手机|手機|座机|传真)(?:号码|號碼|号)?(?:是|为)?)[ :：.#]{0,3}(?P<it>[0-9](?:[ \-]?[0-9]){6,14})"
)

# Lengths and first digits of the networks (ISO/IEC 7812), as cards are printed or without gaps.
_FIRST_FOUR = (
    "4[0-9]{3}|5[1-5][0-9]{2}|2(?:2[2-9]|[3-6][0-9]|7[01])[0-9]|35[2-8][0-9]|6(?:011|[257][0-9]{2}|4[4-9][0-9])"
)
_CARDS = (
    rf"(?:{_FIRST_FOUR})(?P<gap>[ \-]?)[0-9]{{4}}(?P=gap)[0-9]{{4}}(?P=gap)[0-9]{{4}}",
    r"62[0-9]{2}(?P<gap>[ \-]?)[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{1,3}",
    r"3[47][0-9]{2}(?P<gap>[ \-]?)[0-9]{6}(?P=gap)[0-9]{5}|3(?:0[0-5]|[68][0-9])[0-9][ \-][0-9]{6}[ \-][0-9]{4}",
)

_SSN = "(?!000|666)[0-8][0-9]{2}%s(?!00)[0-9]{2}%s(?!0000)[0-9]{4}"
_AFTER_SSN = rf"(?i:\bSSN\b|social security (?:number|no\.?))(?: is)?[ :#]{{0,3}}(?P<it>{_SSN % ('[ -]?', '[ -]?')})"
_AFTER_SIN = (
    r"(?:\bSIN\b|(?i:social insurance number))(?: is)?[ :#]{0,3}(?P<it>[1-79][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3})"
)
_NI = "(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"
_RESIDENT = "[1-9][0-9]{5} ?(?:18|19|20)[0-9]{6} ?[0-9]{3}[0-9Xx]"

# How long an account number is, by country (the SWIFT register).
_IBAN_LENGTHS = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27
    GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24
    ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24
    TR26 UA29 VA22 VG24 XK20"""
_IBAN = "|".join(f"{row[:2]}[0-9]{{2}}(?: ?[A-Z0-9]){{{int(row[2:]) - 4}}}" for row in _IBAN_LENGTHS.split())

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP4 = rf"(?i:(?<!version )(?<!release )(?<!ver\. ))(?<!版本)(?<!版本 )(?P<it>(?:{_OCTET}\.){{3}}{_OCTET})(?!/[0-9])"
_IP6 = r"(?<![0-9A-Za-z_:.])(?P<it>[0-9a-fA-F]{3,4}(?::[0-9a-fA-F]{0,4}){2,7})(?![0-9A-Za-z_:])"


def _solid(found: str) -> str:
    return re.sub(r"[ \-.()]", "", found)


def _is_phone(found: str) -> bool:
    """Seven digits to fifteen (ITU-T E.164), not one over and over, and not from one year to another."""
    digits = _solid(found).removeprefix("+")
    is_years = re.fullmatch(r"(?:(?:19|20)[0-9]{2}[ \-]?){2,3}", found) is not None
    return 7 <= len(digits) <= 15 and len(set(digits[-7:])) > 1 and not is_years


def _is_ip4(found: str) -> bool:
    """Four single digits are a version or a chapter; 0.*, 127.* and 255.* are no computer on a network."""
    address = IPv4Address(found)
    return len(found) > len("1.2.3.4") and not address.is_loopback and not found.startswith(("0.", "255."))


def _is_ip6(found: str) -> bool:
    try:
        return len([group for group in IPv6Address(found).compressed.split(":") if group]) >= 3
    except AddressValueError:
        return False


def _always(_: str) -> bool:
    return True


_Shape = tuple[PersonalKind, re.Pattern[str], Callable[[str], bool]]


def _number(kind: PersonalKind, shape: str, is_genuine: Callable[[str], bool] = _always) -> _Shape:
    """A shape that may not run on at either end; the name `it` marks the number where a word must stand before it."""
    named = shape if "(?P<it>" in shape else f"(?P<it>{shape})"
    return kind, re.compile(f"{_START}(?:{named}){_END}"), is_genuine


_DIGIT = re.compile("[0-9]")
_EMAIL_SHAPE: _Shape = (PersonalKind.EMAIL, re.compile(_EMAIL, re.IGNORECASE), _always)
_SHAPES: tuple[_Shape, ...] = (
    _EMAIL_SHAPE,
    _number(PersonalKind.IBAN, _IBAN, lambda found: passes_mod_97(_solid(found))),
    _number(PersonalKind.IDENTITY_NUMBER, _RESIDENT, lambda found: is_resident_number(_solid(found))),
    _number(PersonalKind.IDENTITY_NUMBER, _SSN % ("-", "-")),
    _number(PersonalKind.IDENTITY_NUMBER, _AFTER_SSN),
    _number(PersonalKind.IDENTITY_NUMBER, "[1-79][0-9]{2}-[0-9]{3}-[0-9]{3}", lambda found: passes_luhn(_solid(found))),
    _number(PersonalKind.IDENTITY_NUMBER, _AFTER_SIN, lambda found: passes_luhn(_solid(found))),
    _number(PersonalKind.IDENTITY_NUMBER, _NI),
    _number(PersonalKind.IDENTITY_NUMBER, "[0-9]{7}[A-W][A-IW]?", is_public_service_number),
    *(_number(PersonalKind.PAYMENT_CARD, shape, lambda found: passes_luhn(_solid(found))) for shape in _CARDS),
    *(_number(PersonalKind.PHONE, shape, _is_phone) for shape in (*_PHONES, _AFTER_A_WORD)),
    _number(PersonalKind.IP_ADDRESS, _IP4, _is_ip4),
    (PersonalKind.IP_ADDRESS, re.compile(_IP6), _is_ip6),
)
