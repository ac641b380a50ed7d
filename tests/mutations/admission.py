"""Which records a run learns from, and how much each counts."""

from mutations.mutation import Mutation

ADMISSION = "trainers/test_admission.py"
DPO = "trainers/test_dpo.py"
PTX = "trainers/test_ptx.py"

MUTATIONS = [
    Mutation(
        "rows outgrow the model's context",
        "trainers/admission.py",
        "if context is not None and longest > context:",
        "if False:",
        (ADMISSION,),
    ),
    Mutation(
        "a row that just fits is refused",
        "trainers/admission.py",
        "longest > context:",
        "longest >= context:",
        (ADMISSION,),
    ),
    Mutation(
        "prompts leave no room for their answers",
        "trainers/admission.py",
        "longest + max_new_tokens > context:",
        "longest > context:",
        (ADMISSION,),
    ),
    Mutation(
        "the first prompts alone are looked at",
        "trainers/assembly.py",
        "check_prompts_fit(encoded, ",
        "check_prompts_fit(encoded[:4], ",
        (ADMISSION,),
    ),
    Mutation(
        "a normalisation asks prompts that leave no room",
        "trainers/reward.py",
        "if len(prompt.token_ids) <= room]",
        "if prompt.token_ids]",
        (ADMISSION,),
    ),
    Mutation(
        "a reference is taken to read as much as the model",
        "trainers/reward.py",
        "contexts.append(context_of(_reference(config)))",
        "pass",
        (ADMISSION,),
    ),
    Mutation(
        "what is left out is not told",
        "trainers/admission.py",
        'say(f"left out {count} {what}: {reason}")',
        "pass",
        (ADMISSION,),
    ),
    Mutation(
        "what was left out before the run is forgotten",
        "trainers/experience.py",
        "for text in self._unsaid:",
        "for text in []:",
        (ADMISSION, "trainers/test_experience.py"),
    ),
    Mutation(
        "records of no weight take part",
        "trainers/admission.py",
        "if record.weight > 0]",
        "if record.weight >= 0]",
        (ADMISSION, "trainers/test_sft.py"),
    ),
    Mutation(
        "documents' weights are lost",
        "trainers/pretrain.py",
        "replace(row, weight=document.weight) for row in rows",
        "row for row in rows",
        ("trainers/test_pretrain.py",),
    ),
    Mutation(
        "marked answers' weights are lost",
        "trainers/spans.py",
        "losses = losses * weights[:, None]",
        "pass",
        ("trainers/test_spans.py",),
    ),
    Mutation(
        "the weights of PTX's demonstrations are lost",
        "trainers/ptx.py",
        "torch.tensor([row.weight for row in rows], device=device)",
        "torch.ones(len(rows), device=device)",
        (PTX,),
    ),
    Mutation(
        "PTX's denominator counts no weights",
        "trainers/ptx.py",
        "(self._rows.answer_mask[index].sum(-1) * self._weights[index]).sum()",
        "self._rows.answer_mask[index].sum()",
        (PTX,),
    ),
    Mutation(
        "DPO's accuracy counts ties",
        "trainers/dpo.py",
        "return data.weights * (data.targets != 0.5)",
        "return data.weights",
        (DPO,),
    ),
    Mutation(
        "DPO's accuracy takes an even pair for b's",
        "trainers/dpo.py",
        "torch.where(logits == 0, 0.5, ((logits > 0) == (part.targets > 0.5)).float())",
        "((logits > 0) == (part.targets > 0.5)).float()",
        (DPO,),
    ),
    Mutation(
        "weights that no file holds are drawn at random",
        "models/load.py",
        "    if missing:\n",
        "    if False:\n",
        ("models/test_broken_folders.py",),
    ),
    Mutation(
        "a setting may be nan",
        "cli/settings.py",
        "if isinstance(value, float) and not math.isfinite(value):",
        "if False:",
        ("cli/test_settings.py",),
    ),
]
