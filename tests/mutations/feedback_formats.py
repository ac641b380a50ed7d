"""Feedback tools' files."""

from mutations.mutation import Mutation

ARENA = ("formats/test_arena.py",)
ARGILLA = ("formats/test_argilla.py",)
LABEL_STUDIO = ("formats/test_label_studio.py",)
OASST = ("formats/test_oasst_out.py",)
OPEN_WEBUI = ("formats/test_open_webui.py",)
SPREADSHEET = ("formats/test_spreadsheet.py",)
TIES = ("formats/test_ties.py",)

MUTATIONS = [
    Mutation(
        "the answer on the right is taken for the one on the left",
        "formats/label_studio.py",
        '_SIDES = {"left": Verdict.A, "right": Verdict.B}',
        '_SIDES = {"left": Verdict.B, "right": Verdict.A}',
        LABEL_STUDIO,
    ),
    Mutation(
        "a cancelled choice counts",
        "formats/label_studio.py",
        "verdict = Verdict.INCOMPARABLE if is_cancelled else _SIDES[selected]",
        "verdict = _SIDES[selected]",
        LABEL_STUDIO,
    ),
    Mutation(
        "an answer that nobody placed is ranked",
        "formats/rankers.py",
        "if name != _UNPLACED}",
        'if name != ""}',
        LABEL_STUDIO,
    ),
    Mutation(
        "a draft looks submitted",
        "formats/argilla.py",
        'if response.status in ("draft", "discarded"):',
        'if response.status == "discarded":',
        ARGILLA,
    ),
    Mutation(
        "what may be a draft is written as submitted",
        "formats/argilla.py",
        'extra["argilla.status"] = None',
        'extra.pop("argilla.status", None)',
        ARGILLA,
    ),
    Mutation(
        "a response's ties are broken by the order of the fields",
        "formats/argilla.py",
        "order = tuple(ranks[name] for name in names)",
        "order = tuple(range(len(names)))",
        ARGILLA,
    ),
    Mutation(
        "two bad answers are merely equal",
        "formats/arena.py",
        '{"both_bad": Verdict.BOTH_BAD}',
        '{"both_bad": Verdict.TIE}',
        ARENA,
    ),
    Mutation(
        "the more toxic answer is the better one",
        "formats/oasst_labels.py",
        "score=0 - value, minimum=-1, maximum=0",
        "score=value",
        OASST,
    ),
    Mutation(
        "the browser is believed",
        "formats/open_webui.py",
        'provenance["extra"]["claims"] = claims | {"meta": meta, "model": rated.get("model")}',
        'provenance["extra"] |= claims | {"meta": meta, "model": rated.get("model")}',
        OPEN_WEBUI,
    ),
    Mutation(
        "a cell that begins with a minus runs as a formula",
        "formats/spreadsheet.py",
        "[=+\\\\-@",
        "[=+@",
        SPREADSHEET,
    ),
    Mutation(
        "an apostrophe that belongs to the text is taken off",
        "formats/spreadsheet.py",
        """if cell.startswith("'") and _RUN.match(cell) else cell""",
        """if cell.startswith("'") else cell""",
        SPREADSHEET,
    ),
    Mutation(
        "half of a tie weighs as much as the whole",
        "formats/pairs.py",
        '"weight": tie.weight / 2',
        '"weight": tie.weight',
        TIES,
    ),
    Mutation(
        "which element of a list is broken is not said",
        "formats/jsonl.py",
        'element = None if "\\n" in text[ended:position] else index',
        "element = None",
        LABEL_STUDIO,
    ),
]
