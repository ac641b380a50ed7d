"""Snapshots without somebody who was erased, and erasures that stopped half way."""

from mutations.mutation import Mutation

FORGETTING = ("quality/test_forgetting.py",)

MUTATIONS = [
    Mutation(
        "two people whose files use one id are one",
        "quality/from_store.py",
        "return (name, row) in standing or",
        "return row in {own for _, own in standing} or",
        FORGETTING,
    ),
    Mutation(
        "a duplicate leaves with the record that stood for it",
        "quality/from_store.py",
        "    if _CLEANING in filters:\n",
        "    if False:\n",
        FORGETTING,
    ),
    Mutation(
        "who agreed later is put into what was made before",
        "quality/from_store.py",
        "    known |= set(map(_identity, clean([*before, *others], config).kept))\n",
        "",
        FORGETTING,
    ),
    Mutation(
        "a snapshot under way keeps whom an erasure removes",
        "quality/from_store.py",
        "meanwhile[-1]) if meanwhile else None",
        "meanwhile[-1]) if not records else None",
        FORGETTING,
    ),
    Mutation(
        "snapshots are read once the rows are gone",
        "quality/forgetting.py",
        "_check(store, erasure.projects(person_id), read, backups)",
        "_check(store, (), read, backups)",
        FORGETTING,
    ),
    Mutation(
        "an erasure is done once or never",
        "quality/forgetting.py",
        "    if person_id in erasure.ledger():\n",
        "    if False:\n",
        FORGETTING,
    ),
    Mutation(
        "the key outlives an erasure that was cut short",
        "store/erasure.py",
        "            receipt_id = row.id\n        self._destroy_words(person_id)\n",
        "            receipt_id = row.id\n",
        FORGETTING,
    ),
    Mutation(
        "one snapshot that fails ends all",
        "quality/forgetting.py",
        "except (PlauditError, OSError, ValidationError) as error:",
        "except ValidationError as error:",
        FORGETTING,
    ),
    Mutation(
        "a snapshot that lies elsewhere goes unsaid",
        "quality/forgetting.py",
        "self.missing.append(Missing(snapshot_id=made.id, folder=made.folder))",
        "pass",
        FORGETTING,
    ),
    Mutation(
        "runs on a snapshot that lies elsewhere are not looked for",
        "quality/forgetting.py",
        "for one in gone} | {one.snapshot_id for one in work.missing}",
        "for one in gone}",
        FORGETTING,
    ),
    Mutation(
        "a folder that was emptied by half is left so",
        "quality/forgetting.py",
        '.get("erased") == made.id:',
        '.get("erased") == "":',
        FORGETTING,
    ),
    Mutation(
        "a run on the snapshot before the last is not found",
        "quality/forgetting.py",
        "        held |= earlier\n",
        "        break\n",
        FORGETTING,
    ),
]
