"""`plaudit sample`: answers for people to rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from plaudit.cli.agreement import answering_model, check_chat_model
from plaudit.cli.scoring import checked_prompts
from plaudit.cli.training import tell_left_out
from plaudit.formats import Shape, open_records, write_records
from plaudit.formats.columns import names_from
from plaudit.formats.jsonl import check_rows_fit
from plaudit.models.load import Precision, device_for
from plaudit.rollout import Sampling, sampled
from plaudit.runs import Progress
from plaudit.schemas.conversation import assistant
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Ranking
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleCommand:
    """Sample several answers to every prompt of a file, as rankings whose ranks are still to be filled in."""

    prompts: Path
    """Where the prompts are: any file of prompts, demonstrations, comparisons or rankings."""
    out: Path
    """The file to write; .jsonl, .json or either with .gz, or .parquet. Nothing there is overwritten."""
    model: str = "runs/sft/model"
    """The model that answers: a hub id, a folder, an adapter's folder, a .gguf file, `smollm2-135m` or `tiny`."""
    num_answers: int = 4
    """Answers to each prompt. More give more pairs a prompt, and more to read for who ranks them."""
    shape: Shape | None = None
    """The shape of the file of prompts; told from its first rows where this is not given."""
    columns: str = ""
    """The names of columns in the file of prompts by plaudit's, as in prompt=question."""
    input_template: str = ""
    """Text around every prompt of the file of prompts, which stands in for its `{}`, as in 'Question: {}'."""
    on_error: Literal["raise", "skip"] = "raise"
    """`skip` leaves out rows that cannot be read, and counts them; `raise` stops at the first."""
    sampling: Sampling = field(default_factory=Sampling)
    """How the answers are drawn."""
    max_prompt_tokens: int = 512
    """Longest prompt."""
    prompt_too_long: TooLong = TooLong.REFUSE
    """What happens to longer ones: refuse, drop (counted) or truncate (oldest turns first; the last turn is never cut)."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` and `mixed` answer in bfloat16 where the hardware has it, else in float32."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """An answer follows from it, the prompt and the answer's number."""

    def __post_init__(self) -> None:
        if self.num_answers < 2:
            raise PlauditError(f"num_answers must be at least 2, or there is nothing to rank: got {self.num_answers}")

    def run(self) -> int:
        if self.out.exists():
            raise PlauditError(f"{self.out} exists: name another file, or delete it first")
        check_rows_fit(self.out)
        records = open_records(
            self.prompts,
            self.shape,
            self.on_error,
            columns=names_from(self.columns),
            input_template=self.input_template,
        )
        tell_left_out(records, self.prompts)
        messages = checked_prompts(records, self.prompts)
        codec = check_chat_model(self.model)
        prompts, num_dropped = encoded_prompts(
            messages, codec, max_tokens=self.max_prompt_tokens, too_long=self.prompt_too_long
        )
        rankings = self._sampled(codec, prompts)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        write_records(rankings, self.out, Shape.RANKED)
        truncated = sum(map(sum, (ranking.truncated for ranking in rankings)))
        print(
            f"{self.out}: {self.num_answers} answers each to {len(prompts)} prompts"
            + (f" ({num_dropped} longer prompts dropped)" if num_dropped else "")
            + f", {truncated} answers cut off at {self.sampling.max_new_tokens} tokens"
        )
        print('next: people fill in "ranks" (0 is best, equal is a tie, null is not ranked), then')
        print(f"      plaudit reward --data {self.out} --model {self.model}")
        return 0

    def _sampled(self, codec: ChatCodec, prompts: Sequence[EncodedPrompt]) -> list[Ranking]:
        model = answering_model(self.model, self.precision, device_for(self.device))
        made_by: dict[str, JsonValue] = {"model": self.model, "seed": self.seed, "sampling": asdict(self.sampling)}
        with Progress("sampling", total=len(prompts) * self.num_answers) as progress:
            rollouts = sampled(
                model,
                codec,
                prompts,
                self.sampling,
                num_answers=self.num_answers,
                seed=self.seed,
                ended=progress.advance,
            )
        finished = rollouts.finished.tolist()
        rankings = []
        for i, prompt in enumerate(prompts):
            mine = slice(i * self.num_answers, (i + 1) * self.num_answers)
            rankings.append(
                Ranking(
                    prompt=prompt.messages,
                    completions=tuple((assistant(text),) for text in rollouts.texts[mine]),
                    ranks=(None,) * self.num_answers,
                    truncated=tuple(not stopped for stopped in finished[mine]),
                    source=self.prompts.name,
                    extra=made_by,
                )
            )
        return rankings
