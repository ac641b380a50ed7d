"""Personal data is found where it stands, in English and in Chinese, and what only looks like it is left alone."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.personal_data import PersonalKind, PersonalSpan, personal_spans, redacted

EMAIL, IBAN, IDENTITY = PersonalKind.EMAIL, PersonalKind.IBAN, PersonalKind.IDENTITY_NUMBER
CARD, PHONE, IP = PersonalKind.PAYMENT_CARD, PersonalKind.PHONE, PersonalKind.IP_ADDRESS

# Invented, or published as examples: no number is a person's.
FOUND = [
    ("Write to ann.lee+news@mail.example.org, please.", "ann.lee+news@mail.example.org", EMAIL),
    ("ANN_LEE@EXAMPLE.COM.", "ANN_LEE@EXAMPLE.COM", EMAIL),
    ("请联系zhang.wei@example.cn，谢谢", "zhang.wei@example.cn", EMAIL),
    ("邮箱ｌｉｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ｌｉｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ", EMAIL),
    ("<a href='mailto:ann@example.net'>", "ann@example.net", EMAIL),
    ("ann [at] example [dot] com", "ann [at] example [dot] com", EMAIL),
    ("ann(at)example.com", "ann(at)example.com", EMAIL),
    ("https://ann:word@example.com/x", "word@example.com", EMAIL),
    ("(415) 555-2671", "(415) 555-2671", PHONE),
    ("Call 415-555-2671 now.", "415-555-2671", PHONE),
    ("415.555.2671", "415.555.2671", PHONE),
    ("415 555 2671", "415 555 2671", PHONE),
    ("1-415-555-2671", "1-415-555-2671", PHONE),
    ("+1 415 555 2671", "+1 415 555 2671", PHONE),
    ("tel:+14155552671", "+14155552671", PHONE),
    ("phone 4155552671", "4155552671", PHONE),
    ("My phone number is 5552671.", "5552671", PHONE),
    ("reach us at 4155552671", "4155552671", PHONE),
    ("020 7946 0958", "020 7946 0958", PHONE),
    ("(0113) 496 0123", "(0113) 496 0123", PHONE),
    ("01632 960123", "01632 960123", PHONE),
    ("07700 900123", "07700 900123", PHONE),
    ("07700900123", "07700900123", PHONE),
    ("+44 (0)20 7946 0958", "+44 (0)20 7946 0958", PHONE),
    ("0491 570 156", "0491 570 156", PHONE),
    ("(02) 5550 1234", "(02) 5550 1234", PHONE),
    ("+49 30 23125 1234", "+49 30 23125 1234", PHONE),
    ("我的手机号是13812345678，晚上打", "13812345678", PHONE),
    ("手机１３８１２３４５６７８谢谢", "１３８１２３４５６７８", PHONE),
    ("138-1234-5678", "138-1234-5678", PHONE),
    ("139 1234 5678", "139 1234 5678", PHONE),
    ("+86 138 1234 5678", "+86 138 1234 5678", PHONE),
    ("008613812345678", "008613812345678", PHONE),
    ("3,13812345678,女", "13812345678", PHONE),
    ("座机010-62781234", "010-62781234", PHONE),
    ("（０２１）６２７８１２３４", "（０２１）６２７８１２３４", PHONE),
    ("0755 8278 1234", "0755 8278 1234", PHONE),
    ("电话：87654321", "87654321", PHONE),
    ("4111 1111 1111 1111", "4111 1111 1111 1111", CARD),
    ("card 4111-1111-1111-1111!", "4111-1111-1111-1111", CARD),
    ("5555555555554444", "5555555555554444", CARD),
    ("2223003122003222", "2223003122003222", CARD),
    ("3782 822463 10005", "3782 822463 10005", CARD),
    ("6011111111111117", "6011111111111117", CARD),
    ("3530111333300000", "3530111333300000", CARD),
    ("3056 930902 5904", "3056 930902 5904", CARD),
    ("银行卡号6222021234567890128已冻结", "6222021234567890128", CARD),
    ("卡号6222 0212 3456 7890 128", "6222 0212 3456 7890 128", CARD),
    ("078-05-1120", "078-05-1120", IDENTITY),
    ("My SSN is 078051120", "078051120", IDENTITY),
    ("social security number: 078 05 1120", "078 05 1120", IDENTITY),
    ("NI AB 12 34 56 C", "AB 12 34 56 C", IDENTITY),
    ("AB123456C", "AB123456C", IDENTITY),
    ("130-692-544", "130-692-544", IDENTITY),
    ("SIN 130692544", "130692544", IDENTITY),
    ("PPS 1234567FA", "1234567FA", IDENTITY),
    ("身份证号11010519491231002X。", "11010519491231002X", IDENTITY),
    ("身份证１１０１０５１９４９１２３１００２ｘ号", "１１０１０５１９４９１２３１００２ｘ", IDENTITY),
    ("440524 18800101 0014", "440524 18800101 0014", IDENTITY),
    ("from 81.2.69.142 today", "81.2.69.142", IP),
    ("http://81.2.69.142:8080/x", "81.2.69.142", IP),
    ("服务器在192.168.1.10上", "192.168.1.10", IP),
    ("2001:db8::8a2e:370:7334", "2001:db8::8a2e:370:7334", IP),
    ("2001:0db8:0000:0000:0000:8a2e:0370:7334", "2001:0db8:0000:0000:0000:8a2e:0370:7334", IP),
    ("GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 32", IBAN),
    ("账号DE89370400440532013000收款", "DE89370400440532013000", IBAN),
    ("FR14 2004 1010 0505 0001 3M02 606 AND", "FR14 2004 1010 0505 0001 3M02 606", IBAN),
]
QUIET = [
    # Programs.
    "W@x.mean() + a@b.T - q@self.weight",
    "@app.route and user@localhost and git@github.com:ann/tool.git",
    "npm install left@1.2.3",
    "std::vector<int> a1::b2::c3 and ::1",
    "float x = 3.141592653589793; y = 0.4111111111111111;",
    "id_13812345678 = 0x13812345678 + 4111111111111111L",
    "commit 4111111111111111a7d2, uuid 91720420-4047-4238-8941-246902112345",
    "color: #138123456; rgb(255, 255, 255); 00:1b:63:84:45:e6",
    "127.0.0.1:8000, 0.0.0.0, 255.255.255.0, 10.0.0.0/8",
    # Versions, chapters.
    "version 10.2.13.4 and v1.20.300.40, 版本2.10.0.13",
    "Section 1.2.3.4, release 91.0.102.12, 91.0.4472.124",
    # Times and days.
    "2024-05-17 12:34:56.789, 20240517123456, 1715945696000, 17/05/2024",
    "1999-2004, 1955-1985-2015, mobile 2001-2005",
    "At 10:30, 11:45 and 12:00:00.",
    # Prices and amounts.
    "$13812345678, €415.555.2671, ¥ 13912345678, £4111111111111111",
    "售价13812345678元，共 15912345678 美元",
    "1,234,567,890 people; 299792458 m/s; 6,620,000 (98.30%)",
    "从2000-5000元到1500-4000",
    # Books and journals.
    "ISBN 978-3-16-148410-0, ISBN 9783161484100, ISBN 0-306-40615-2, 0471958697, ISSN 2049-3630",
    "doi:10.1109/ECOCS50124.2020.9314485, arXiv:2103.00097, S2CID 208879679, CVE-2021-34527",
    # Numbers that fail their check, or nobody is given.
    "4111 1111 1111 1112, 5555555555554445, 6222021234567890127",
    "110105194912310021, 11010519490231002X",
    "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
    "GB123456A, BG123456A, QQ123456C, AB123456E, AB1234567C",
    "GB82 WEST 1234 5698 7654 33, XX82WEST12345698765432",
    "130-692-545, 1234567A",
    "12812345678, 1381234567, 138123456789",
    "phone: 0000000, +100000000",
    # Numbers within addresses on the web.
    "https://www.example.com/p/13812345678?ref=415-555-2671",
    "www.example.com/question/13912345678/answer",
    # Scores, places, games.
    "67-70-67-68, 3-1, (42.014081, -89.889078), 42°0′51″N",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
    "200 300 4000 500, 100 415 555 2671",
    "他跑了1381234米，用了12分钟；第13812期",
    "",
]


@pytest.mark.parametrize(("text", "found", "kind"), FOUND)
def test_personal_data_is_found_where_it_stands(text: str, found: str, kind: PersonalKind) -> None:
    assert [(text[span.start : span.end], span.kind) for span in personal_spans(text)] == [(found, kind)]
    assert redacted(text) == text.replace(found, kind.placeholder)


@pytest.mark.parametrize("text", QUIET)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert personal_spans(text) == ()
    assert redacted(text) == text


def test_several_are_found_in_order() -> None:
    text = "张三，手机13812345678/13912345679，邮箱a@example.cn，IP为81.2.69.142。"
    assert redacted(text) == "张三，手机[PHONE]/[PHONE]，邮箱[EMAIL]，IP为[IP_ADDRESS]。"
    assert personal_spans("a@b.com or 078-05-1120") == (
        PersonalSpan(0, 7, EMAIL),
        PersonalSpan(11, 22, IDENTITY),
    )


def test_every_kind_is_tried_and_named() -> None:
    assert {kind for _, _, kind in FOUND} == set(PersonalKind)
    assert [kind.placeholder for kind in PersonalKind] == [
        "[EMAIL]",
        "[IBAN]",
        "[IDENTITY_NUMBER]",
        "[PAYMENT_CARD]",
        "[PHONE]",
        "[IP_ADDRESS]",
    ]


def test_a_number_that_two_kinds_could_claim_is_the_persons() -> None:
    """A resident of Gansu (62): 18 digits that pass a card's check too. Its own check wins."""
    number = "620102199003070069"
    assert [span.kind for span in personal_spans(number)] == [IDENTITY]


PIECES = [found for _, found, _ in FOUND] + [
    "和",
    " ",
    ".",
    "-",
    "0",
    "7",
    "a",
    "@",
    ":",
    "(",
    "元",
    "\n",
    "call me ",
    "电话",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
    | st.text("0123456789.-:@aF +()", max_size=40)
    | st.text()
)
def test_redacted_text_holds_nothing_more_to_redact(text: str) -> None:
    once = redacted(text)
    assert personal_spans(once) == ()
    assert redacted(once) == once
    spans = personal_spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))


@given(st.uuids())
def test_an_id_of_ours_is_never_personal(number: object) -> None:
    assert personal_spans(f"row {number}") == ()


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("hh-harmless-base/pairs.jsonl", {EMAIL: 7, PHONE: 12, IDENTITY: 1}),
        ("hh-helpful-base/pairs.jsonl", {}),
        ("dolly-15k/dolly-15k.jsonl", {}),
        ("gsm8k/test.jsonl", {}),
        ("oasst1-zh/oaast_sft_zh.jsonl", {EMAIL: 4}),
    ],
)
def test_published_texts_have_no_false_alarm(file: str, counts: dict[PersonalKind, int]) -> None:
    """The first 2,000 rows. Every hit was read: each is an address or a number that somebody wrote down as such."""
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("set PLAUDIT_DATA to the folder of data sets")
    lines = (Path(folder) / file).read_text(encoding="utf-8").splitlines()[:2000]
    # A turn stands in both conversations of a pair.
    texts = {turn for line in lines for text in _texts(json.loads(line)) for turn in text.split("\n\n")}
    assert Counter(span.kind for text in texts for span in personal_spans(text)) == counts


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            yield from _texts(list(value.values()))
