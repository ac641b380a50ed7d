"""Judges that people calibrate, human studies, and looking back at runs."""

from mutations.mutation import Mutation

POWERED = "statistics/test_prediction_powered.py"
AGREEMENT = "statistics/test_agreement.py"
POWER = "statistics/test_power.py"
STUDY = "evaluation/studies/test_study.py"
STUDY_PLAN = "evaluation/studies/test_plan.py"
STUDY_RESULTS = "evaluation/studies/test_results.py"
HISTORY = "runs/test_history.py"
RUNS_COMMAND = "cli/test_runs.py"
CALIBRATED = "evaluation/test_calibrated_judge.py"

MUTATIONS = [
    Mutation(
        "the judge's correction is added with the wrong sign",
        "statistics/prediction_powered.py",
        "y + fitted * (g - f)",
        "y + fitted * (f - g)",
        (POWERED,),
    ),
    Mutation(
        "the judge's noise on unlabelled items is forgotten",
        "statistics/prediction_powered.py",
        " - (self.f_u - self.num_u * g[:, None]) * of_u[:, None]",
        "",
        (POWERED,),
    ),
    Mutation(
        "the fitted weight costs no degree of freedom and may widen the interval",
        "statistics/prediction_powered.py",
        "if tuned and not found.variance < plain.variance:",
        "if tuned and found.variance > 2 * plain.variance:",
        (POWERED,),
    ),
    Mutation(
        "pairs of one prompt count as independent",
        "statistics/prediction_powered.py",
        "    labels = np.asarray(names).astype(np.str_)\n",
        '    labels = np.array([f"{i}" for i in range(num)], dtype=np.str_)\n',
        (POWERED,),
    ),
    Mutation(
        "the bias is people's less the judge's",
        "statistics/prediction_powered.py",
        "paired_difference(judge, people,",
        "paired_difference(people, judge,",
        (POWERED, CALIBRATED),
    ),
    Mutation(
        "kappa forgets what chance would give",
        "statistics/agreement.py",
        "(float((a == b).mean()) - by_chance) / (1 - by_chance)",
        "float((a == b).mean())",
        (AGREEMENT, CALIBRATED),
    ),
    Mutation(
        "pairs people have seen count a second time as the judge's alone",
        "evaluation/calibrated_judge.py",
        "alone = ~np.isnan(says) & np.isnan(said)",
        "alone = ~np.isnan(says)",
        (CALIBRATED,),
    ),
    Mutation(
        "the first shown is always A's",
        "evaluation/calibrated_judge.py",
        "np.concatenate([words[:, 0], 1 - words[:, 1]])",
        "np.concatenate([words[:, 0], words[:, 1]])",
        (CALIBRATED,),
    ),
    Mutation(
        "too few prompts are enough",
        "evaluation/calibrated_judge.py",
        "MIN_PEOPLE_PROMPTS = 10",
        "MIN_PEOPLE_PROMPTS = 2",
        (CALIBRATED, "cli/test_evaluate.py"),
    ),
    Mutation(
        "ties do not narrow verdicts",
        "statistics/power.py",
        "return win_rate * (1 - win_rate) - tie_frac / 4",
        "return win_rate * (1 - win_rate)",
        (POWER,),
    ),
    Mutation(
        "other pairs of a prompt come for nothing",
        "statistics/power.py",
        " + (q - 1) * k * self.prompt_correlation",
        "",
        (POWER,),
    ),
    Mutation(
        "the exact test rejects one count too many",
        "statistics/power.py",
        "np.where(2 * binom.cdf(critical, strict, 0.5) <= alpha, critical, critical - 1)",
        "critical",
        (POWER,),
    ),
    Mutation(
        "a plan without the power it promises",
        "statistics/power.py",
        "((z_a * null + z_b * other) / margin) ** 2",
        "(z_a * null / margin) ** 2",
        (POWER,),
    ),
    Mutation(
        "sides are not turned back",
        "evaluation/studies/answers.py",
        "verdict = _SWAPPED.get(shown, shown) if row.swapped else shown",
        "verdict = shown",
        (STUDY_RESULTS, "cli/test_study.py"),
    ),
    Mutation(
        "ratings are not turned back",
        "evaluation/studies/answers.py",
        "(right, left) if row.swapped else (left, right)",
        "(left, right)",
        (STUDY_RESULTS,),
    ),
    Mutation(
        "a second answer to a row counts too",
        "evaluation/studies/answers.py",
        "            if earlier[0] is line:",
        "            if earlier[0] is not None:",
        (STUDY_RESULTS,),
    ),
    Mutation(
        "repeats count in the win rate",
        "evaluation/studies/results.py",
        "return [one for one in judgements if not one.row.repeat]",
        "return list(judgements)",
        (STUDY_RESULTS,),
    ),
    Mutation(
        "repeats keep their sides",
        "evaluation/studies/study.py",
        "swapped=not row.swapped, repeat=True",
        "swapped=row.swapped, repeat=True",
        (STUDY,),
    ),
    Mutation(
        "one model always stands first",
        "evaluation/studies/study.py",
        "swapped=bool(turns[pair.models] % 2)",
        "swapped=False",
        (STUDY,),
    ),
    Mutation(
        "the same people meet again and again",
        "evaluation/studies/study.py",
        "sorted(rng.permutation(np.array(config.people)).tolist(), key=load.__getitem__)",
        "sorted(config.people, key=load.__getitem__)",
        (STUDY,),
    ),
    Mutation(
        "an answer can end the page's data",
        "evaluation/studies/sheet.py",
        '.replace("<", "\\\\u003c")',
        "",
        (STUDY,),
    ),
    Mutation(
        "a formula stays a formula",
        "evaluation/studies/sheet.py",
        "if text.startswith(_FORMULA) else text",
        "if not text else text",
        (STUDY,),
    ),
    Mutation(
        "prompts are planned as if each were judged once",
        "evaluation/studies/plan.py",
        "ratings) / shape.per_prompt)",
        "ratings))",
        (STUDY_PLAN,),
    ),
    Mutation(
        "the oldest run stands first",
        "runs/history.py",
        "-(run.began.timestamp() if run.began else 0.0)",
        "(run.began.timestamp() if run.began else 0.0)",
        (HISTORY,),
    ),
    Mutation(
        "models and snapshots are runs",
        "runs/history.py",
        '    if not (path / "manifest.json").is_file():\n        return False',
        '    if (path / "config.json").is_file() or (path / "manifest.json").is_file():\n        return True',
        (HISTORY,),
    ),
    Mutation(
        "a damaged line ends the reading unseen",
        "runs/history.py",
        'problems.append(f"metrics.jsonl:{number} cannot be read")',
        "break",
        (HISTORY, RUNS_COMMAND),
    ),
    Mutation(
        "best and worst change places",
        "runs/history.py",
        "return ordered[len(worst) :][::-1][:num], worst",
        "return worst, ordered[len(worst) :][::-1][:num]",
        (HISTORY,),
    ),
    Mutation(
        "settings that are the same count as different",
        "runs/history.py",
        "if any(value != found[0] for value in found)}",
        "if found}",
        (HISTORY, RUNS_COMMAND, "evaluation/test_run_comparison.py"),
    ),
    Mutation(
        "a run's first metrics stand for its last",
        "runs/history.py",
        "for row in self.metrics for name, x in row.items() if name not in",
        "for row in self.metrics[:1] for name, x in row.items() if name not in",
        (HISTORY, "evaluation/test_run_comparison.py"),
    ),
]
