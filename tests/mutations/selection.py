"""What is asked next, the simulated people who answer, and the table of models that comes of it."""

from mutations.mutation import Mutation

SELECTION = ("quality/test_selection.py",)
CROWD = ("testing/test_crowd.py",)
LEADERBOARD = ("quality/test_leaderboard.py",)
RANKING = ("statistics/test_bradley_terry.py",)
STYLE = ("rules/test_style.py",)

MUTATIONS = [
    Mutation(
        "disagreement is taken in log-odds",
        "quality/selection.py",
        "expit(table[:, :, None] - table[:, None, :]).var(axis=0)",
        "(table[:, :, None] - table[:, None, :]).var(axis=0)",
        SELECTION,
    ),
    Mutation(
        "the random share is rounded down",
        "quality/selection.py",
        "wanted = math.ceil(random_frac * (len(chosen) + num))",
        "wanted = math.floor(random_frac * (len(chosen) + num))",
        SELECTION,
    ),
    Mutation(
        "the random items are drawn from what the others left",
        "quality/selection.py",
        "for one in live[:num_random]]",
        "for one in live[len(live) - num_random :]]",
        SELECTION,
    ),
    Mutation(
        "random items go by their scores",
        "quality/selection.py",
        "shown = [int(place) for place in generator.choice(np.argwhere(np.triu(free)))]",
        "shown = [int(place) for place in np.unravel_index(disputed.argmax(), disputed.shape)]",
        SELECTION,
    ),
    Mutation(
        "a chosen item is marked random",
        "quality/selection.py",
        "mean, strategy is Strategy.RANDOM)",
        "mean, strategy is not Strategy.DISAGREEMENT)",
        SELECTION,
    ),
    Mutation(
        "near-identical answers are shown together",
        "quality/selection.py",
        "{candidates.prompt: ~candidates.alike_mask for candidates in pool}",
        "{candidates.prompt: ~np.eye(len(candidates.alike_mask), dtype=bool) for candidates in pool}",
        SELECTION,
    ),
    Mutation(
        "a pair is asked about twice",
        "quality/selection.py",
        "free[choice.prompt][np.ix_(choice.answers, choice.answers)] = False",
        "free[choice.prompt][0, 0] = False",
        SELECTION,
    ),
    Mutation(
        "the least disputed prompts come first",
        "quality/selection.py",
        "key=lambda choice: -choice.disagreement",
        "key=lambda choice: choice.disagreement",
        SELECTION,
    ),
    Mutation(
        "the second Thompson draw may be anybody's favourite",
        "quality/selection.py",
        "others = favourites[allowed[favourites]]",
        "others = np.flatnonzero(allowed)",
        SELECTION,
    ),
    Mutation(
        "a prompt's draw depends on its place in the pool",
        "quality/selection.py",
        'live.sort(key=lambda candidates: spawn_seed(seed, "prompt", turn, candidates.prompt))',
        "turn += 0",
        SELECTION,
    ),
    Mutation(
        "closeness passes for foresight",
        "quality/selection.py",
        "area_under(disputed, tenth),",
        "area_under(disputed, together),",
        SELECTION,
    ),
    Mutation(
        "the bootstrap of foresight draws pairs, not prompts",
        "quality/selection.py",
        "clusters=names,",
        "clusters=None,",
        SELECTION,
    ),
    Mutation(
        "what a person feels depends on the place of display",
        "testing/crowd.py",
        'self._chance("feeling", shown.item, answer)',
        'self._chance("feeling", shown.item, str(place))',
        CROWD,
    ),
    Mutation(
        "everybody feels the same about an item",
        "testing/crowd.py",
        'return _chance(self.seed, "person", self.name, *names)',
        'return _chance(self.seed, "person", *names)',
        CROWD,
    ),
    Mutation(
        "the answer shown last is favoured",
        "testing/crowd.py",
        "self.left_lean * (1 - place / last)",
        "self.left_lean * (place / last)",
        CROWD,
    ),
    Mutation(
        "people grow sharper as they tire",
        "testing/crowd.py",
        "return self.skill / (1 + self.fatigue * ordinal)",
        "return self.skill * (1 + self.fatigue * ordinal)",
        CROWD,
    ),
    Mutation(
        "each of a circle has an order of their own",
        "testing/crowd.py",
        '_chance(self.seed, "circle", self.circle, answer)',
        'self._chance("circle", self.circle, answer)',
        CROWD,
    ),
    Mutation(
        "a ranking counts for as many votes as it has pairs",
        "quality/leaderboard.py",
        "pair.target, pair.weight, record.annotator",
        "pair.target, record.weight, record.annotator",
        LEADERBOARD,
    ),
    Mutation(
        "style differences are centred, so that sides matter",
        "quality/leaderboard.py",
        "table = np.array(rows, dtype=np.float64)",
        "table = np.array(rows, dtype=np.float64) - np.mean(rows, axis=0)",
        LEADERBOARD,
    ),
    Mutation(
        "every record is a person's of its own",
        "quality/leaderboard.py",
        "[vote.person for vote in cast],",
        "None,",
        LEADERBOARD,
    ),
    Mutation(
        "one voter gives an interval of no width",
        "statistics/bradley_terry.py",
        "if num_voters < 2:",
        "if num_voters < 1:",
        RANKING,
    ),
    Mutation(
        "percentiles of a bootstrap of few people are not expanded",
        "statistics/bradley_terry.py",
        "share = _share_inside(level, np.bincount(votes.voter, votes.weight).astype(np.float64))",
        "share = level",
        RANKING,
    ),
    Mutation(
        "all people weigh alike in the width of an interval",
        "statistics/bradley_terry.py",
        "n = float(votes_of.sum() ** 2 / (votes_of**2).sum())",
        "n = float(len(votes_of))",
        RANKING,
    ),
    Mutation(
        "weights are for the ratings, not for their intervals",
        "statistics/bradley_terry.py",
        "csr_matrix((votes.weight, (votes.voter, of_vote)), shape=shape)",
        "csr_matrix((votes.weight**0, (votes.voter, of_vote)), shape=shape)",
        RANKING,
    ),
    Mutation(
        "a comment in code is a heading",
        "rules/style.py",
        '_CODE_BLOCK.sub("", text)',
        "text",
        STYLE,
    ),
]
