"""What a store's judgements come to, and records as a Dataset."""

from mutations.mutation import Mutation

CONSENSUS = ("quality/test_consensus.py",)
DATASET = ("formats/test_dataset.py",)

MUTATIONS = [
    Mutation(
        "known answers and repetitions count as verdicts",
        "quality/consensus.py",
        "if row.is_gold or row.is_repeat:",
        "if row.is_gold:",
        CONSENSUS,
    ),
    Mutation(
        "models' verdicts count as people's",
        "quality/consensus.py",
        "store.judgements.latest(project_id) if row.person_id in humans)",
        "store.judgements.latest(project_id))",
        CONSENSUS,
    ),
    Mutation(
        "leaning to a side is not told from skill",
        "quality/consensus.py",
        "float(np.sign(place_of[b] - place_of[a])) if place_of else 0.0",
        "0.0",
        CONSENSUS,
    ),
    Mutation(
        "who is always wrong is worth nothing",
        "quality/consensus.py",
        "np.abs(2 * skills.accuracy - 1)[verdicts.person]",
        "np.maximum(2 * skills.accuracy - 1, 0)[verdicts.person]",
        CONSENSUS,
    ),
    Mutation(
        "what was settled before stays beside it",
        "store/consensus.py",
        "session.execute(delete(ConsensusRow).where(ConsensusRow.method == method, ConsensusRow.item_id.in_(items)))",
        "pass",
        CONSENSUS,
    ),
    Mutation(
        "another project's consensus is taken away as well",
        "store/consensus.py",
        "delete(ConsensusRow).where(ConsensusRow.method == method, ConsensusRow.item_id.in_(items))",
        "delete(ConsensusRow).where(ConsensusRow.method == method)",
        CONSENSUS,
    ),
    Mutation(
        "a Dataset of several kinds is made of the first",
        "formats/native.py",
        "if kind is None and len(kinds) > 1:",
        "if False:",
        DATASET,
    ),
    Mutation(
        "a Dataset does not say which snapshot it was",
        "formats/dataset.py",
        '"\\n".join([*told, str(losses)])',
        "str(losses)",
        DATASET,
    ),
    Mutation(
        "a Dataset's ties are always left out",
        "formats/dataset.py",
        "write_records(chosen, path, shape, ties=ties)",
        "write_records(chosen, path, shape)",
        DATASET,
    ),
]
