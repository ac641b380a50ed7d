"""A story goes on where it broke off, and says what it took in all."""

import json
import math
import shutil
from pathlib import Path

import pytest

from plaudit.runs import stages
from plaudit.runs.phases import PhaseTimer
from plaudit.runs.stages import Cost, Stages
from plaudit.schemas.errors import PlauditError

SETTINGS: dict[str, object] = {"seed": 0, "reward": {"rate": 1e-4, "layers": (1, 2)}, "limit": math.inf}


class Story:
    """Stages that write down what they were told."""

    def __init__(self, folder: Path, settings: dict[str, object] = SETTINGS) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.told: list[tuple[str, bool]] = []
        self.stages = Stages(folder, settings, say=self.said.append)

    def tell(self, *names: str) -> None:
        for name in names:
            self.stages.run(name, name.upper(), lambda resume, name=name: self.told.append((name, resume)))

    def break_off(self, name: str, *, checkpoint: bool) -> None:
        """A stage that dies after it has written something."""

        def work(resume: bool) -> None:
            (self.folder / name).mkdir()
            (self.folder / name / "half").touch()
            if checkpoint:
                (self.folder / name / "checkpoints" / "step-000003").mkdir(parents=True)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.stages.run(name, name, work)


def test_a_stage_that_ended_is_not_repeated(tmp_path: Path) -> None:
    Story(tmp_path / "a").tell("sft", "ppo")
    again = Story(tmp_path / "a")
    again.tell("sft", "ppo", "evaluate")
    assert again.told == [("evaluate", False)]
    assert again.said == ["== SFT: done before", "== PPO: done before", "== EVALUATE"]


def test_only_what_is_taken_out_of_the_list_is_done_again(tmp_path: Path) -> None:
    Story(tmp_path).tell("sft", "ppo", "evaluate")
    saved = json.loads((tmp_path / "stages.json").read_text())
    del saved["stages"]["ppo"]
    (tmp_path / "stages.json").write_text(json.dumps(saved))
    again = Story(tmp_path)
    again.tell("sft", "ppo", "evaluate")
    assert again.told == [("ppo", False)]


def test_what_broke_off_without_a_checkpoint_is_cleared_away(tmp_path: Path) -> None:
    Story(tmp_path).break_off("sft", checkpoint=False)
    again = Story(tmp_path)
    assert (tmp_path / "sft" / "half").exists()
    again.tell("sft")
    assert again.told == [("sft", False)]
    assert not (tmp_path / "sft").exists()


def test_what_broke_off_with_a_checkpoint_is_resumed(tmp_path: Path) -> None:
    Story(tmp_path).break_off("ppo", checkpoint=True)
    again = Story(tmp_path)
    again.tell("ppo")
    assert again.told == [("ppo", True)]
    assert (tmp_path / "ppo" / "half").exists()


def test_a_process_that_was_killed_leaves_a_folder_that_can_be_continued(tmp_path: Path) -> None:
    Story(tmp_path)
    (tmp_path / "sft").mkdir()
    again = Story(tmp_path)
    again.tell("sft")
    assert again.told == [("sft", False)]


def test_the_cost_of_attempts_that_broke_off_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, memory = [100.0], iter([900.0, 300.0])
    monkeypatch.setattr(stages, "PhaseTimer", lambda: PhaseTimer(lambda: now[0], lambda: 2 * now[0]))
    monkeypatch.setattr(stages, "peak_rss_mb", lambda: next(memory))

    def work(resume: bool) -> None:
        now[0] += 5
        if now[0] < 108:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Story(tmp_path).stages.run("sft", "sft", work)
    again = Story(tmp_path).stages
    assert again.costs == {}
    again.run("sft", "sft", work)
    assert again.costs == Story(tmp_path).stages.costs == {"sft": Cost(10.0, 20.0, 900.0)}
    assert json.loads((tmp_path / "stages.json").read_text())["interrupted"] == {}


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    Story(tmp_path).tell("sft")
    before = (tmp_path / "stages.json").read_bytes()
    with pytest.raises(PlauditError, match=r"reward.rate was 0.0001, now 0.1, seed was 0, now 1\): give those back"):
        Story(tmp_path, {**SETTINGS, "seed": 1, "reward": {"rate": 0.1, "layers": (1, 2)}})
    assert (tmp_path / "stages.json").read_bytes() == before


def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(PlauditError, match="not empty and holds no run of this kind"):
        Story(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": {}, "stages": {"sft": {"minutes": 3}}}'])
def test_a_broken_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "stages.json").write_text(text)
    with pytest.raises(PlauditError, match=r"stages.json cannot be read"):
        Story(tmp_path)


def test_a_full_disk_does_not_hide_the_first_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(tmp_path)

    def full(path: Path, value: object) -> None:
        raise PlauditError("no space left")

    def work(resume: bool) -> None:
        monkeypatch.setattr(stages, "write_json", full)
        raise RuntimeError("the first")

    with pytest.raises(RuntimeError, match="the first"):
        story.stages.run("sft", "sft", work)


def test_a_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    Story(tmp_path / "a" / "b").tell("sft")
    shutil.rmtree(tmp_path / "a")
    again = Story(tmp_path / "a" / "b")
    again.tell("sft")
    assert again.told == [("sft", False)]
