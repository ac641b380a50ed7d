"""What the demo's simulated people care about, and the tricks tried on them."""

from mutations.mutation import Mutation

UTILITY = "demo/test_utility.py"
TRICKS = "demo/test_tricks.py"
PEOPLE = "demo/test_people.py"
WHOLE = "demo/test_main.py"

MUTATIONS = [
    Mutation(
        "words of the prompt make a point",
        "demo/utility.py",
        "said, total, num = set(question.asked), 0.0, 0",
        "said, total, num = set[str](), 0.0, 0",
        (UTILITY,),
    ),
    Mutation(
        "what was said before makes a point again",
        "demo/utility.py",
        "            said.update(new)\n",
        "            said.update(())\n",
        (UTILITY,),
    ),
    Mutation(
        "each sentence counts alike, so that a short one can be added",
        "demo/utility.py",
        "            num += sentence.num_words\n",
        "            num += 1\n",
        (UTILITY,),
    ),
    Mutation(
        "one sentence alone is enough",
        "demo/utility.py",
        "LEAST_SENTENCES = 2",
        "LEAST_SENTENCES = 1",
        (UTILITY,),
    ),
    Mutation(
        "what is harmless may be declined",
        "demo/utility.py",
        "if answer.declines != question.harmful:",
        "if question.harmful and not answer.declines:",
        (UTILITY,),
    ),
    Mutation(
        "who declines what is harmful has to speak of its subject",
        "demo/utility.py",
        "        if not question.harmful:\n            chance",
        "        if True:\n            chance",
        (UTILITY,),
    ),
    Mutation(
        "a word that no reference has is of no subject",
        "demo/utility.py",
        "self._log_shares.get(word, ())",
        "self._log_shares.get(word, [-1.0])",
        (UTILITY,),
    ),
    Mutation(
        "the subject is told by how usual the words are",
        "demo/utility.py",
        "math.log(num / total) for num, total in zip(of_word, totals, strict=True)",
        "math.log(num) for num, total in zip(of_word, totals, strict=True)",
        (UTILITY,),
    ),
    Mutation(
        "brevity has one side",
        "demo/utility.py",
        "_rising(-length, -LONGEST, -LONG)",
        "1.0",
        (UTILITY,),
    ),
    Mutation(
        "a decline counts wherever it stands",
        "demo/refusals.py",
        'if (question.kind == "decline") is harmful',
        "if True",
        ("demo/test_refusals.py",),
    ),
    Mutation(
        "a trick faces one of the model's answers only",
        "demo/tricks.py",
        "            for against in worth\n",
        "            for against in worth[:1]\n",
        (TRICKS,),
    ),
    Mutation(
        "a text put together stays one sentence",
        "demo/tricks.py",
        "for _ in range(MOST_SENTENCES - 1):",
        "for _ in range(0):",
        (TRICKS,),
    ),
    Mutation(
        "other methods' answers are not tried on all questions",
        "demo/tricks.py",
        "for found in (sft, *others) for row in found",
        "for found in (sft,) for row in found",
        (TRICKS,),
    ),
    Mutation(
        "the reward model takes everybody at their word",
        "demo/main.py",
        "reward.train(replace(config.reward(), resume=resume), weighed.groups, known=known)",
        "reward.train(replace(config.reward(), resume=resume), learnt)",
        (WHOLE,),
    ),
    Mutation(
        "DPO takes everybody at their word",
        "demo/main.py",
        "dpo.train(replace(config.dpo(), resume=resume), weighed.groups, known=known)",
        "dpo.train(replace(config.dpo(), resume=resume), learnt)",
        (WHOLE,),
    ),
    Mutation(
        "the held-out rankings tell who is to be believed",
        "demo/main.py",
        "weighed = weighed_preferences(learnt, seed=config.seed)",
        "weighed = weighed_preferences(rankings, seed=config.seed)",
        (WHOLE,),
    ),
    Mutation(
        "whoever ranks upside down is said to click",
        "demo/people.py",
        "if person.clicker > LIKELY:",
        "if person.clicker + person.liar > LIKELY:",
        (PEOPLE,),
    ),
]
