"""What a run is resumed from."""

from mutations.mutation import Mutation

MUTATIONS = [
    Mutation(
        "a damaged checkpoint is trusted",
        "checkpoints/folder.py",
        "if seal[name] != _sha256(folder / name)]",
        "if not (folder / name).exists()]",
        ("checkpoints/test_folder.py",),
    ),
    Mutation(
        "a checkpoint is written in place",
        "checkpoints/folder.py",
        'folder.with_name(f".{folder.name}.partial")',
        "folder.with_name(folder.name)",
        ("checkpoints/test_folder.py",),
    ),
    Mutation(
        "the tensors are not synced",
        "checkpoints/folder.py",
        "os.fsync(file.fileno())",
        "pass",
        ("checkpoints/test_folder.py",),
    ),
    Mutation(
        "the old checkpoint is gone before the new one stands",
        "checkpoints/folder.py",
        "folder.rename(replaced)\n",
        "shutil.rmtree(folder)\n",
        ("checkpoints/test_folder.py",),
    ),
    Mutation(
        "what a killed replacement left aside is not found",
        "checkpoints/folder.py",
        '    _put_back(run.path / "checkpoints")\n',
        "",
        ("checkpoints/test_folder.py",),
    ),
    Mutation(
        "a run without a checkpoint can neither go on nor begin anew",
        "checkpoints/folder.py",
        "    if steps:\n",
        "    if True:\n",
        ("checkpoints/test_folder.py", "trainers/test_epochs.py", "equivalence/test_resume.py"),
    ),
    Mutation(
        "a run whose checkpoints are all damaged begins anew",
        "checkpoints/folder.py",
        "    if steps:\n",
        "    if False:\n",
        ("checkpoints/test_folder.py", "equivalence/test_resume.py"),
    ),
    Mutation(
        "a damaged checkpoint is named in the log alone",
        "trainers/resuming.py",
        "latest_checkpoint(run, say)",
        "latest_checkpoint(run)",
        ("trainers/test_epochs.py", "trainers/test_faults.py"),
    ),
    Mutation(
        "another number of threads is passed over in silence",
        "trainers/resuming.py",
        "if saved is not None and saved != now:",
        "if False:",
        ("trainers/test_epochs.py", "equivalence/test_resume.py"),
    ),
    Mutation(
        "the name is not synced",
        "checkpoints/folder.py",
        "    sync_folder(folder.parent)\n",
        "",
        ("checkpoints/test_folder.py",),
    ),
]
