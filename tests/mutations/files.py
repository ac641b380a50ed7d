"""Other people's files."""

from mutations.mutation import Mutation

LLAMAFACTORY = "formats/test_llamafactory.py"
PUBLISHED = "formats/test_published.py"
SHAREGPT = "formats/test_sharegpt.py"
STEPWISE = "formats/test_stepwise.py"
TABLES = "formats/test_tables.py"
TRAINERS = "formats/test_trainers_shapes.py"

MUTATIONS = [
    Mutation(
        "chosen and rejected turns are swapped",
        "formats/sharegpt.py",
        'a, b = (_turn(row, row.take(name, "an answer"), name) for name in ("chosen", "rejected"))',
        'b, a = (_turn(row, row.take(name, "an answer"), name) for name in ("chosen", "rejected"))',
        (SHAREGPT, LLAMAFACTORY),
    ),
    Mutation(
        "a tag says the opposite",
        "formats/sharegpt.py",
        "score=float(tag)",
        "score=float(not tag)",
        (SHAREGPT, LLAMAFACTORY),
    ),
    Mutation(
        "a turn in the system's column is forgotten",
        "formats/sharegpt.py",
        "messages = (*((Message(role=Role.SYSTEM, content=system),) if system else ()), *turns)",
        "messages = tuple(turns)",
        (SHAREGPT,),
    ),
    Mutation(
        "the speakers of a dataset_info.json are not looked at",
        "formats/columns.py",
        'turn["from"] = self.speakers.get(speaker, speaker)',
        'turn["from"] = speaker',
        (LLAMAFACTORY,),
    ),
    Mutation(
        "a column whose name another takes is dropped",
        "formats/rows.py",
        "self.columns, self._leftover = named.renamed(columns)",
        "self.columns, self._leftover = named.renamed(columns)[0], {}",
        (LLAMAFACTORY, "formats/test_columns.py"),
    ),
    Mutation(
        "a row's id depends on what its columns are called here",
        "formats/rows.py",
        "self._as_read = columns\n",
        "self._as_read = self.columns\n",
        ("formats/test_columns.py",),
    ),
    Mutation(
        "the first summary is always the better one",
        "formats/tldr.py",
        "verdict=_VERDICTS[int(choice)]",
        "verdict=_VERDICTS[0]",
        (TRAINERS,),
    ),
    Mutation(
        "a policy is kept at the wrong summary",
        "formats/tldr.py",
        'row.leave(f"{path}.{name}", entry)',
        'row.leave(f"summaries[0].{name}", entry)',
        (TRAINERS,),
    ),
    Mutation(
        "answers nobody ranked come first",
        "formats/nemo.py",
        "        if rank is not None:\n            completions.append(written)",
        "        completions.append(written)",
        (TRAINERS,),
    ),
    Mutation(
        "steps lose the line break between them",
        "formats/stepwise.py",
        "start += len(step) + len(_BETWEEN)",
        "start += len(step)",
        (STEPWISE,),
    ),
    Mutation(
        "spans may reach beyond the answer",
        "schemas/feedback.py",
        "any(end > len(self.text) for _, end in places)",
        "any(end > len(self.text) + 1 for _, end in places)",
        (STEPWISE,),
    ),
    Mutation(
        "nulls in lists are left out too",
        "formats/tables.py",
        "return [_without_nulls(entry) for entry in value]",
        "return [_without_nulls(entry) for entry in value if entry is not None]",
        (TABLES,),
    ),
    Mutation(
        "a broken table row is named by the line it ends on",
        "formats/tables.py",
        "line = reader.line_num + 1",
        "line = reader.line_num",
        (TABLES,),
    ),
    Mutation(
        "preferences in a circle become an order",
        "formats/finegrained.py",
        "return ranks if implied == list(verdicts) else None",
        "return ranks",
        (PUBLISHED,),
    ),
    Mutation(
        "the sides of a preference are swapped",
        "formats/finegrained.py",
        "_VERDICTS = (Verdict.TIE, Verdict.A, Verdict.B)",
        "_VERDICTS = (Verdict.TIE, Verdict.B, Verdict.A)",
        (PUBLISHED,),
    ),
    Mutation(
        "wrong answers count as acceptable",
        "formats/questions.py",
        "unacceptable=tuple(rank == 2 for rank in ranks)",
        "unacceptable=tuple(rank > 2 for rank in ranks)",
        (PUBLISHED,),
    ),
    Mutation(
        "two sides may be judged by different rubrics",
        "formats/judged.py",
        'for part in ("task_description", "prompt", "rubric"):',
        'for part in ("task_description", "prompt"):',
        (PUBLISHED,),
    ),
]
