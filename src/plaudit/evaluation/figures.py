"""Every plot. Each is drawn twice, for light and for dark surroundings; one without data is None, never invented."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from textwrap import wrap
from typing import TYPE_CHECKING

from plaudit.evaluation.contest import ContestResult
from plaudit.evaluation.frontier import FrontierPoint
from plaudit.evaluation.reward_quality import RewardQuality
from plaudit.statistics import Estimate, wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_WIDTH, _DPI = 5.4, 180
_MARKERS = "osD^vP"
_MAX_LABELLED, _MAX_NAME = 6, 24
CURVES = {
    "score/mean": "score",
    "kl/k1": "KL, nats an answer",
    "answer/length": "tokens an answer",
    "answer/stop_frac": "fraction that stops by itself",
}
"""Metric and heading of each panel of the training curves."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot as two PNGs; `name` is the file's, without its ending, and `caption` says what one sees."""

    name: str
    title: str
    caption: str
    light: bytes
    dark: bytes


@dataclass(frozen=True, slots=True)
class _Theme:
    """Colours. The series are Okabe and Ito's, told apart by people who see fewer colours; lighter on dark."""

    surface: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]


_LIGHT = _Theme("#ffffff", "#1f2328", "#59636e", "#e1e4e8", ("#0072b2", "#d55e00", "#009e73", "#a9518a", "#b07d00"))
_DARK = _Theme("#171b21", "#e6e8eb", "#a2aab4", "#333a44", ("#58b1ea", "#f28a4b", "#3fc79d", "#e29ac6", "#e6b94a"))

_Draw = Callable[["Canvas", _Theme], None]


def win_rates_figure(result: ContestResult) -> Figure | None:
    """Win rates with intervals, over all pairs and over those of equal length; None where no pair was judged."""
    shown = [standing for standing in result.entrants if standing.win_rate is not None]
    if not shown:
        return None

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes = canvas.add_subplot()
        axes.axvline(0.5, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
        for row, standing in enumerate(shown):
            assert standing.win_rate is not None
            _interval(axes, standing.win_rate, row - 0.13, theme.series[0], "o", filled=True)
            axes.text(1.02, row - 0.13, f"{standing.win_rate.value:.2f}", color=theme.series[0], va="center")
            if standing.length_matched is not None:
                _interval(axes, standing.length_matched, row + 0.17, theme.series[1], "D", filled=False)
                axes.text(1.02, row + 0.17, f"{standing.length_matched.value:.2f}", color=theme.series[1], va="center")
        axes.set_yticks(range(len(shown)), [short(standing.name) for standing in shown])
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), xlabel=f"win rate against {short(result.baseline.name)}")
        if any(standing.length_matched for standing in shown):
            every = _key(axes, theme.series[0], "o", "all pairs", filled=True)
            matched = _key(axes, theme.series[1], "D", "pairs of equal length", filled=False)
            axes.legend(handles=[every, matched], loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        _rows_without_grid(axes)

    caption = f"Above 0.5 the answers beat those of {result.baseline.name}. Bars are 95 % intervals over prompts."
    return _drawn("win_rates", "Win rates", caption, draw, height=1.3 + 0.6 * len(shown))


def calibration_figure(result: ContestResult) -> Figure | None:
    """The win rate by people and judge together, by people alone and by the judge alone; None without people."""
    shown = [(standing.name, standing.calibrated) for standing in result.entrants if standing.calibrated is not None]
    if not shown:
        return None
    kinds = (("people alone", "s"), ("judge and people", "o"), ("judge alone", "D"))

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes = canvas.add_subplot()
        axes.axvline(0.5, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
        for row, (_, calibrated) in enumerate(shown):
            rates = calibrated.win_rates
            for place, estimate in enumerate((rates.people_only, rates.estimate, rates.judge_only)):
                y = row + 0.24 * (place - 1)
                _interval(axes, estimate, y, theme.series[place], kinds[place][1], filled=place == 1)
                axes.text(1.02, y, f"{estimate.value:.2f}", color=theme.series[place], va="center")
        axes.set_yticks(range(len(shown)), [short(name) for name, _ in shown])
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), xlabel=f"win rate against {short(result.baseline.name)}")
        keys = [
            _key(axes, theme.series[place], marker, kind, filled=place == 1)
            for place, (kind, marker) in enumerate(kinds)
        ]
        axes.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        _rows_without_grid(axes)

    caption = "What the judge adds to people's verdicts, and how far it is off by itself. Bars are 95 % intervals over prompts."
    return _drawn("calibration", "The judge, calibrated by people", caption, draw, height=1.3 + 0.8 * len(shown))


def estimates_figure(
    name: str,
    title: str,
    series: Mapping[str, Mapping[str, Estimate]],
    *,
    limits: tuple[float, float],
    middle: float | None,
    label: str,
    caption: str,
) -> Figure | None:
    """Each series' named estimates, a row a name, with a line at `middle`; None without one. Two series have a legend."""
    names = list(dict.fromkeys(name for estimates in series.values() for name in estimates))
    if not names:
        return None

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes, keys = canvas.add_subplot(), []
        if middle is not None:
            axes.axvline(middle, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
        place = limits[1] + 0.02 * (limits[1] - limits[0])
        for i, (of, estimates) in enumerate(series.items()):
            colour, marker, filled = theme.series[i], _MARKERS[i], i == 0
            shift = 0.36 * (i - (len(series) - 1) / 2)
            for found, estimate in estimates.items():
                row = names.index(found) + shift
                _interval(axes, estimate, row, colour, marker, filled=filled)
                axes.text(place, row, f"{estimate.value:.2f}", color=colour, va="center")
            keys.append(_key(axes, colour, marker, short(of), filled=filled))
        axes.set_yticks(range(len(names)), [_row_name(name) for name in names])
        axes.set(xlim=limits, ylim=(len(names) - 0.5, -0.5), xlabel=label)
        if len(series) > 1:
            axes.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        _rows_without_grid(axes)

    height = 1.1 + 0.4 * len(names) if len(series) == 1 else 1.3 + 0.25 * len(names) * len(series)
    return _drawn(name, title, caption, draw, height=height)


def frontier_figure(series: Mapping[str, Sequence[FrontierPoint]]) -> Figure | None:
    """Reward gained over KL, one series a method; None without a point."""
    shown = {name: points for name, points in series.items() if points}
    if not shown:
        return None

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes = canvas.add_subplot()
        for (name, points), colour, marker in zip(shown.items(), cycle(theme.series), cycle(_MARKERS), strict=False):
            x, y = [point.kl for point in points], [point.gain for point in points]
            axes.plot(x, y, color=colour, marker=marker, markersize=4, linewidth=1, alpha=0.75, label=short(name))
            axes.plot(x[-1:], y[-1:], color=colour, marker=marker, markersize=8)
            labelled = points if len(points) <= _MAX_LABELLED else points[-1:]
            for point in labelled:
                axes.annotate(
                    point.label,
                    (point.kl, point.gain),
                    xytext=(6, -10),
                    textcoords="offset points",
                    color=colour,
                    fontsize=8,
                )
        axes.set(xlabel="KL to the reference (nats an answer)", ylabel="gain in score")
        axes.legend()

    caption = (
        "How much score each method buys for how much movement. The larger mark is the last step. The KL of best-of-n is "
        "log n - (n - 1)/n."
    )
    return _drawn("reward_against_kl", "Reward against KL", caption, draw, height=4)


def reliability_figure(quality: RewardQuality | None) -> Figure | None:
    """How often the answer that the reward model prefers with some probability is the one people preferred."""
    if quality is None:
        return None

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes = canvas.add_subplot()
        axes.plot([0, 1], [0, 1], color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
        largest = max(part.count for part in quality.reliability)
        for part in quality.reliability:
            estimate = wilson_interval(part.observed * part.count, part.count)
            axes.plot([part.mean_predicted] * 2, [estimate.low, estimate.high], color=theme.series[0], linewidth=1.5)
            size = 20 + 130 * part.count / largest
            axes.scatter([part.mean_predicted], [part.observed], s=size, color=theme.series[0], zorder=3)
        axes.set(
            xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xlabel="P(first is better), predicted", ylabel="first was preferred"
        )
        axes.set_aspect("equal")

    caption = (
        f"Points on the line are honest probabilities; larger points hold more pairs ({quality.accuracy.n} in all). "
        f"Expected calibration error {quality.expected_calibration_error:.3f}."
    )
    return _drawn("reliability", "Reliability of the reward model", caption, draw, height=4)


def length_slices_figure(quality: RewardQuality | None) -> Figure | None:
    """The reward model's accuracy where the preferred answer is shorter, as long, or longer."""
    if quality is None:
        return None
    slices = list(quality.by_length_difference.items())

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes = canvas.add_subplot()
        axes.axvline(0.5, color=theme.muted, linewidth=1, linestyle=(0, (4, 3)))
        for row, (_, estimate) in enumerate(slices):
            _interval(axes, estimate, row, theme.series[0], "o", filled=True)
            axes.text(1.02, row, f"{estimate.value:.2f}  ({estimate.n})", color=theme.ink, va="center")
        axes.set_yticks(range(len(slices)), [name for name, _ in slices])
        axes.set(xlim=(0, 1), ylim=(len(slices) - 0.5, -0.5), xlabel="accuracy")
        _rows_without_grid(axes)

    caption = (
        "A model that merely likes long answers is right on the lower rows and wrong on the upper. Pairs in brackets."
    )
    return _drawn("accuracy_by_length", "Accuracy by length difference", caption, draw, height=1.1 + 0.5 * len(slices))


def training_figure(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure | None:
    """Score, KL, length and stop rate over the steps of each run's metrics.jsonl; None where no run has any of them."""
    return curves_figure(runs, CURVES)


def curves_figure(runs: Mapping[str, Sequence[Mapping[str, float]]], headings: Mapping[str, str]) -> Figure | None:
    """A panel for each metric of `headings` that a run has, one line a run; None where no run has any of them."""
    panels = [metric for metric in headings if any(metric in row for rows in runs.values() for row in rows)]
    if not panels:
        return None

    def draw(canvas: Canvas, theme: _Theme) -> None:
        grid = canvas.subplots(math.ceil(len(panels) / 2), min(2, len(panels)), squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for axes, metric in zip(grid.flat, panels, strict=False):
            for (name, rows), colour in zip(runs.items(), cycle(theme.series), strict=False):
                points = [(row["step"], row[metric]) for row in rows if metric in row]
                if points:
                    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, label=short(name))
            axes.set_xlabel("step")
            axes.set_title(headings[metric], fontsize=10, loc="left")
        if len(runs) > 1:
            grid.flat[0].legend()

    caption = "What happened while learning: each step's answers, before the update they led to."
    return _drawn("training", "Training", caption, draw, height=2.5 * math.ceil(len(panels) / 2))


def seconds_figure(seconds_by_phase: Mapping[str, float], run: str = "") -> Figure | None:
    """Where the time went, of that run where there are several; None without a phase."""
    if not seconds_by_phase:
        return None
    names, seconds = list(seconds_by_phase), list(seconds_by_phase.values())

    def draw(canvas: Canvas, theme: _Theme) -> None:
        axes = canvas.add_subplot()
        bars = axes.barh(range(len(names)), seconds, color=theme.series[0], height=0.62)
        axes.bar_label(bars, [_seconds_text(value) for value in seconds], padding=4, color=theme.ink)
        axes.set_yticks(range(len(names)), [short(name) for name in names])
        axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="seconds", xlim=(0, 1.1 * max(*seconds, 1e-9)))
        _rows_without_grid(axes)

    total = sum(seconds)
    name, title = (
        ("seconds", "Seconds by phase") if not run else (f"seconds_{_file_name(run)}", f"Seconds by phase: {run}")
    )
    caption = f"Wall-clock time by phase, {_seconds_text(total)} s in all."
    return _drawn(name, title, caption, draw, height=0.9 + 0.36 * len(names))


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)


def short(name: str) -> str:
    """The name as a plot has room for it. A long one keeps its end: models in folders differ there."""
    return name if len(name) <= _MAX_NAME else "…" + name[1 - _MAX_NAME :]


def _row_name(name: str) -> str:
    """A row's name, each of its lines as a plot has room for it: words go on in the next line, a single one is cut."""
    lines = [wrap(line, _MAX_NAME, break_long_words=False) for line in name.split("\n")]
    return "\n".join(short(part) for parts in lines for part in parts)


def drawn(*figures: Figure | None) -> tuple[Figure, ...]:
    """Those that have data."""
    return tuple(figure for figure in figures if figure is not None)


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2f}"


def _interval(axes: Axes, estimate: Estimate, row: float, colour: str, marker: str, *, filled: bool) -> None:
    """A mark at the value with a bar over the interval, where there is one."""
    if not math.isnan(estimate.low):
        axes.plot([estimate.low, estimate.high], [row, row], color=colour, linewidth=2, solid_capstyle="round")
    face = colour if filled else axes.get_facecolor()
    mark = axes.plot([estimate.value], [row], marker=marker, markersize=7, color=colour, markerfacecolor=face, zorder=3)
    mark[0].set_clip_on(False)


def _key(axes: Axes, colour: str, marker: str, label: str, *, filled: bool) -> object:
    """A legend's entry."""
    from matplotlib.lines import Line2D

    face = colour if filled else axes.get_facecolor()
    return Line2D([], [], color=colour, marker=marker, markersize=6, markerfacecolor=face, linewidth=2, label=label)


def _rows_without_grid(axes: Axes) -> None:
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _drawn(name: str, title: str, caption: str, draw: _Draw, *, height: float) -> Figure:
    return Figure(name, title, caption, _png(draw, _LIGHT, height), _png(draw, _DARK, height))


def _png(draw: _Draw, theme: _Theme, height: float) -> bytes:
    """The picture in one theme. No pyplot: nothing is left open, and other threads' figures are none of ours."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    with rc_context(_style(theme)), warnings.catch_warnings():
        # A name in letters the font lacks is drawn as boxes; the page beside it has the letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = Canvas(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
        draw(canvas, theme)
        buffer = BytesIO()
        FigureCanvasAgg(canvas).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _style(theme: _Theme) -> dict[str, object]:
    return {
        "figure.facecolor": theme.surface,
        "axes.facecolor": theme.surface,
        "axes.edgecolor": theme.grid,
        "axes.labelcolor": theme.muted,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "ytick.labelcolor": theme.ink,
        "text.color": theme.ink,
        "font.size": 10,
        "legend.frameon": False,
        # A model may be called "$x$": names are text, not formulas.
        "text.parse_math": False,
    }
