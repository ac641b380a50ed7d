"""The store: who is asked what, what is written, who is forgotten."""

from mutations.mutation import Mutation

TASKS = ("store/test_tasks.py",)
JUDGEMENTS = ("store/test_judgements.py",)
AUDIT = ("store/test_audit.py",)
IMPORTS = ("store/test_imports.py",)
ERASURE = ("store/test_erasure.py",)
BACKUP = ("store/test_backup.py",)
OPENING = ("store/test_opening.py",)
VAULT = ("store/test_vault.py",)

MUTATIONS = [
    Mutation(
        "an item is promised to any number of people",
        "store/tasks.py",
        "        item.num_free -= 1\n",
        "        item.num_free -= 0\n",
        TASKS,
    ),
    Mutation(
        "known answers use up the judgements that are wanted",
        "store/tasks.py",
        "    if not is_gold:\n        item.num_free -= 1\n",
        "    item.num_free -= 1\n",
        TASKS,
    ),
    Mutation(
        "a lease lasts for ever",
        "store/tasks.py",
        "assignment.state != AssignmentState.LEASED or assignment.expires_ms <= now_ms",
        "assignment.state != AssignmentState.LEASED",
        TASKS,
    ),
    Mutation(
        "what was given back is wanted no more",
        "store/tasks.py",
        "values(num_free=ItemRow.num_free + 1)",
        "values(num_free=ItemRow.num_free)",
        TASKS,
    ),
    Mutation(
        "people judge their own writing",
        "store/tasks.py",
        "        .where(~_wrote(person_id))\n        .order_by",
        "        .order_by",
        TASKS,
    ),
    Mutation(
        "a person holds several tasks",
        "store/tasks.py",
        "            if held is not None:\n",
        "            if held is not None and False:\n",
        TASKS,
    ),
    Mutation(
        "a repetition looks like the first time",
        "store/tasks.py",
        "order_of(first)[::-1]",
        "order_of(first)",
        TASKS,
    ),
    Mutation(
        "one answer always comes first",
        "store/display.py",
        "return cycle[start:] + cycle[:start]",
        "return cycle",
        TASKS,
    ),
    Mutation(
        "a withdrawn item is judged",
        "store/tasks.py",
        "state == ItemState.WITHDRAWN",
        "state == 'never'",
        TASKS,
    ),
    Mutation(
        "places are taken for answers",
        "store/judgements.py",
        "            mended = judgement.unshuffled(order_of(assignment))\n",
        "            mended = judgement\n",
        JUDGEMENTS,
    ),
    Mutation(
        "ranks stay where they were shown",
        "schemas/judgement.py",
        '"ranks": back(self.ranks),',
        '"ranks": self.ranks,',
        JUDGEMENTS,
    ),
    Mutation(
        "a verdict is not turned with the answers",
        "schemas/judgement.py",
        "{Verdict.A: Verdict.B, Verdict.B: Verdict.A} if list(display_order) == [1, 0] else {}",
        "{}",
        JUDGEMENTS,
    ),
    Mutation(
        "a key may be used for another judgement",
        "store/judgements.py",
        "        if opened_judgement(self.database.vault, row)[0] != judgement:\n",
        "        if False:\n",
        JUDGEMENTS,
    ),
    Mutation(
        "anybody corrects anybody",
        "store/judgements.py",
        "if earlier.person_id != person_id:",
        "if False:",
        JUDGEMENTS,
    ),
    Mutation(
        "ranks need not cover the answers",
        "schemas/judgement.py",
        "    if sum(placed) < needed:\n",
        "    if False:\n",
        JUDGEMENTS,
    ),
    Mutation(
        "the log does not look at what a judgement says",
        "store/audit.py",
        "elif digest != digest_of(row):",
        "elif False:",
        AUDIT,
    ),
    Mutation(
        "events are not chained",
        "store/audit.py",
        "event.digest, event.previous]",
        "event.digest]",
        AUDIT,
    ),
    Mutation(
        "consent is for ever",
        "store/people.py",
        "for person_id, granted in latest.items() if granted",
        "for person_id, granted in latest.items()",
        IMPORTS,
    ),
    Mutation(
        "a file that comes again undoes a refusal",
        "store/imports.py",
        "            if person_id not in heard\n",
        "",
        IMPORTS,
    ),
    Mutation(
        "nobody asks whose prompt it is",
        "store/records.py",
        "{stored.person_id, *item.owners} <= agreed",
        "{stored.person_id} <= agreed",
        IMPORTS,
    ),
    Mutation(
        "models' verdicts are people's",
        "store/records.py",
        ".where(PersonRow.kind.in_(query.people))",
        "",
        IMPORTS,
    ),
    Mutation(
        "a record comes in again and again",
        "store/imports.py",
        "            if (person, question.id) in known:\n",
        "            if False:\n",
        IMPORTS,
    ),
    Mutation(
        "what others said about a person's writing stays",
        "store/erasure.py",
        "or_(JudgementRow.person_id == person_id, JudgementRow.item_id.in_(about))",
        "JudgementRow.person_id == person_id",
        ERASURE,
    ),
    Mutation(
        "the key outlives the person",
        "store/erasure.py",
        "        self.database.vault.destroy(person_id)\n",
        "",
        ERASURE,
    ),
    Mutation(
        "an erased judgement is not asked for again",
        "store/erasure.py",
        '    _want_again(session, person_id, reach["item"])\n',
        "",
        ERASURE,
    ),
    Mutation(
        "a restored backup remembers",
        "store/backup.py",
        "tuple(Erasure(target.database).replay(sorted(gone)))",
        "()",
        BACKUP,
    ),
    Mutation(
        "a backup's hash is not looked at",
        "store/backup.py",
        "not path.is_file() or _sha256(path) != backup.sha256",
        "not path.is_file()",
        BACKUP,
    ),
    Mutation(
        "words fit any person's key",
        "store/vault.py",
        "path.read_bytes()\n        return self._keys[person_id]",
        "path.read_bytes()\n        return b'0' * 32",
        VAULT,
    ),
    Mutation(
        "an older store is opened as it is",
        "store/opening.py",
        "    if found == newest_version():\n",
        "    if found is not None:\n",
        OPENING,
    ),
    Mutation(
        "a store is never migrated",
        "store/opening.py",
        "if before != newest_version():",
        "if before is None:",
        OPENING,
    ),
    Mutation(
        "each table is migrated in a transaction of its own",
        "store/migrations/env.py",
        "    context.run_migrations()",
        "    context.get_context().connection.commit()\n    context.run_migrations()",
        OPENING,
    ),
]
