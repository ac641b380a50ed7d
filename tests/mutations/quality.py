"""Ratings, skills and suspicion."""

from mutations.mutation import Mutation

RANKING = ("statistics/test_bradley_terry.py",)
SKILL = ("statistics/test_skill.py",)
CROWDS = ("statistics/test_skill_crowds.py",)
LAPLACE = ("statistics/test_laplace.py",)
SUSPICION = ("statistics/test_suspicion.py",)

MUTATIONS = [
    Mutation(
        "a tie counts as a loss of the first",
        "statistics/bradley_terry.py",
        "by_d = np.where(tied, 0.0, self.outcome - 0.5) - (wins - losses) / 2",
        "by_d = np.where(tied, -0.5, self.outcome - 0.5) - (wins - losses) / 2",
        RANKING,
    ),
    Mutation(
        "ratings do not sum to zero",
        "statistics/bradley_terry.py",
        "ratings - ratings.mean()",
        "ratings - ratings[0]",
        RANKING,
    ),
    Mutation(
        "the prior is as many votes as it has deviations",
        "statistics/bradley_terry.py",
        "prior_std**-2\n",
        "prior_std**-1\n",
        RANKING,
    ),
    Mutation(
        "votes are drawn, not voters",
        "statistics/bradley_terry.py",
        "csr_matrix((votes.weight, (votes.voter, of_vote)), shape=shape)",
        "csr_matrix((votes.weight, (np.arange(len(votes)) % num_voters, of_vote)), shape=shape)",
        RANKING,
    ),
    Mutation(
        "parts are not told apart",
        "statistics/bradley_terry.py",
        "if self.groups[a] != self.groups[b]:",
        "if False:",
        RANKING,
    ),
    Mutation(
        "half a tie is lost",
        "statistics/bradley_terry.py",
        "return float(wins + ties / 2)",
        "return float(wins)",
        RANKING,
    ),
    Mutation(
        "a lean to the left is a lean to a",
        "statistics/skill.py",
        "verdicts.a_left[strict] * said_a,",
        "said_a,",
        SKILL,
    ),
    Mutation(
        "a liar's word counts for nothing",
        "statistics/skill.py",
        "skill, bias = skill + step[:, 0], bias + step[:, 1]",
        "skill, bias = np.maximum(skill + step[:, 0], 0.0), bias + step[:, 1]",
        SKILL,
    ),
    Mutation(
        "skills are as sure as though the better answers were known",
        "statistics/skill.py",
        "(complete - lost).toarray()",
        "complete.toarray()",
        SKILL,
    ),
    Mutation(
        "ties count as verdicts for b",
        "statistics/skill.py",
        "strict = verdicts.for_a != 0.5",
        "strict = verdicts.for_a >= 0",
        SKILL,
    ),
    Mutation(
        "ties leave a pair's chance as it is",
        "statistics/skill.py",
        "sure = 1 - _tie_shares(known.num_pairs, verdicts, skill)",
        "sure = 1 - 0 * _tie_shares(known.num_pairs, verdicts, skill)",
        SKILL,
    ),
    Mutation(
        "rounding says which of two camps lies",
        "statistics/skill.py",
        "    if turned_back:\n",
        "    if False:\n",
        SKILL,
    ),
    Mutation(
        "a matrix over all people however many there are",
        "statistics/skill.py",
        "if self.num_people <= _MAX_DENSE_PEOPLE:",
        "if True:",
        CROWDS,
    ),
    Mutation(
        "intervals reach no further than the prior's deviation between peaks",
        "statistics/laplace.py",
        "_REACH = 0.1, 2.0",
        "_REACH = 0.1, 0.5",
        (*SKILL, *LAPLACE),
    ),
    Mutation(
        "curvature between peaks is taken for that on one",
        "statistics/laplace.py",
        "np.diag(flat / most)",
        "0 * np.diag(flat / most)",
        (*SKILL, *LAPLACE),
    ),
    Mutation(
        "the more people share a flat direction the less each is moved",
        "statistics/laplace.py",
        "_REACH / most",
        "_REACH",
        LAPLACE,
    ),
    Mutation(
        "people of a crowd are each as sure as though the others were known",
        "statistics/laplace.py",
        "rest = ahead - lost.T @ (lost @ ahead)",
        "rest = ahead - np.asarray(lost.power(2).sum(0)).reshape(-1, 1) * ahead",
        (*CROWDS, *LAPLACE),
    ),
    Mutation(
        "what is lost between peaks counts as known in a crowd",
        "statistics/laplace.py",
        "np.maximum(left, _LEAST_LEFT) ** -0.5",
        "np.maximum(np.abs(left), _LEAST_LEFT) ** -0.5",
        CROWDS,
    ),
    Mutation(
        "deviations in a crowd are those of few draws",
        "statistics/laplace.py",
        "np.sqrt(squares[0] / squares[1])",
        "np.sqrt(squares[0] / max(num_draws, _LEAST_DRAWS)) / known",
        LAPLACE,
    ),
    Mutation(
        "the prior over confusions is forgotten",
        "statistics/dawid_skene.py",
        "confusion = np.tile(counts, (num_people, 1, 1))",
        "confusion = np.tile(1e-9 * counts, (num_people, 1, 1))",
        SKILL,
    ),
    Mutation(
        "how common a class is does not count",
        "statistics/dawid_skene.py",
        "scores = np.tile(np.log(prior), (num_items, 1))",
        "scores = np.tile(0 * np.log(prior), (num_items, 1))",
        SKILL,
    ),
    Mutation(
        "a person is held against an opinion with their own in it",
        "statistics/skill.py",
        "minlength=self.num_pairs)[self.pair] - evidence)",
        "minlength=self.num_pairs)[self.pair])",
        SUSPICION,
    ),
    Mutation(
        "false alarms are counted among clickers",
        "statistics/suspicion.py",
        "accuracy = generator.choice(_HONEST, num_people, p=honest)[person]",
        "accuracy = np.full(len(person), 0.5)",
        SUSPICION,
    ),
    Mutation(
        "each of many is tested as though alone",
        "statistics/suspicion.py",
        "rate * np.arange(1, len(order) + 1) / len(order)",
        "rate * np.ones(len(order))",
        SUSPICION,
    ),
]
