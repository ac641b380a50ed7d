"""Personal data, duplicates, contradictions, cleaning and datasheets."""

from mutations.mutation import Mutation

PERSONAL = ("rules/test_personal_data.py",)
CHECKS = ("rules/test_check_digits.py",)
DUPLICATES = ("quality/test_duplicates.py",)
CONTRADICTIONS = ("quality/test_contradictions.py",)
CLEANING = ("quality/test_cleaning.py",)

MUTATIONS = [
    Mutation(
        "any number as long as a card's is one",
        "rules/personal_data.py",
        "*(_number(PersonalKind.PAYMENT_CARD, shape, lambda found: passes_luhn(_solid(found))) for shape in _CARDS),",
        "*(_number(PersonalKind.PAYMENT_CARD, shape) for shape in _CARDS),",
        PERSONAL,
    ),
    Mutation(
        "numbers within web addresses are people's",
        "rules/personal_data.py",
        "if not is_part and is_genuine(",
        "if is_genuine(",
        PERSONAL,
    ),
    Mutation(
        "full-width digits are none",
        "rules/personal_data.py",
        "plain = text.translate(_NARROW)",
        "plain = text",
        PERSONAL,
    ),
    Mutation(
        "what a placeholder uncovers stays",
        "rules/personal_data.py",
        "while spans := personal_spans(text):",
        "if spans := personal_spans(text):",
        PERSONAL,
    ),
    Mutation(
        "a resident number's check character counts backwards",
        "rules/check_digits.py",
        '"10X98765432"[total % 11]',
        '"10X98765432"[-total % 11]',
        CHECKS,
    ),
    Mutation(
        "texts are compared that share the rarest shingles of all",
        "quality/duplicates.py",
        "sizes - must_share + wanted,",
        "sizes - must_share,",
        DUPLICATES,
    ),
    Mutation(
        "one message alike is enough",
        "quality/duplicates.py",
        "if one != other and all(",
        "if one != other and any(",
        DUPLICATES,
    ),
    Mutation(
        "a Chinese character is a letter like others",
        "quality/duplicates.py",
        "_WIDE, _WIDE_LETTERS = 0x2E80, 3",
        "_WIDE, _WIDE_LETTERS = 0x2E80, 1",
        DUPLICATES,
    ),
    Mutation(
        "the left answer is the same answer in every record",
        "quality/contradictions.py",
        "(pair.target > 0.5) == (a < b)",
        "(pair.target > 0.5)",
        CONTRADICTIONS,
    ),
    Mutation(
        "equal numbers on two axes are one opinion",
        "quality/contents.py",
        "group += [axis_of(record), record",
        "group += [record",
        CLEANING,
    ),
    Mutation(
        "good on one axis and bad on another is a contradiction",
        "quality/contradictions.py",
        "yield canonical_json([axis_of(record), prompt, answer])",
        "yield canonical_json([prompt, answer])",
        CONTRADICTIONS,
    ),
    Mutation(
        "the last axis ranks the answers for all",
        "schemas/implied.py",
        "canonical_json([key, axis_of(rating)])",
        "canonical_json(key)",
        ("schemas/test_implied.py",),
    ),
    Mutation(
        "a column called label is an axis",
        "schemas/feedback.py",
        'and record.source.endswith(f"#{label}"):',
        "and record.source:",
        ("schemas/test_feedback.py",),
    ),
    Mutation(
        "a pair of answers has one chance on all axes",
        "quality/labels.py",
        "group, axis = preference_group(record), axis_of(record)",
        'group, axis = preference_group(record), ""',
        ("quality/test_labels.py",),
    ),
    Mutation(
        "marks stay where the words were",
        "quality/redaction.py",
        "_moved_spans(record.spans, of_answer)",
        "record.spans",
        ("quality/test_redaction.py",),
    ),
    Mutation(
        "two people who agree are one too many",
        "quality/contents.py",
        '_NOT_SAID = {"id",',
        '_NOT_SAID = {"annotator", "id",',
        CLEANING,
    ),
    Mutation(
        "who stands against the majority is dropped",
        "quality/cleaning.py",
        "for row in found if row.conflict is not Conflict.MAJORITY for index",
        "for row in found for index",
        CLEANING,
    ),
    Mutation(
        "the datasheet names people",
        "quality/datasheet.py",
        'f"{len(spoke)}, with',
        'f"{sorted(spoke)}, with',
        ("quality/test_datasheet.py",),
    ),
]
