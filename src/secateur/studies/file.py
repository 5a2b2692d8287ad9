"""A study as a file: what is asked, which runs answer it, what is compared.

Comes in: TOML. Goes out: a `StudyFile`, checked as far as that needs no data. Next: `plan` makes runs of it,
`answering` the comparisons.

    question = "Does the criterion matter?"

    [axes]                         # lists; every combination is a run. Flags of `run` and `prune`
    importance = ["l1", "random"]
    ratio = [0.5, 0.75]
    seed = [1, 2, 3, 4, 5]

    [fixed]                        # flags of every run; config = "FILE.toml" above [axes] for settings
    widths = [16, 32, 64]

    [quick]                        # with --quick: in place of the above
    seed = [1, 2]
    epochs = 1

    [[when]]                       # further flags for some runs
    these = {data = "bonn"}
    flags = {split = "recording"}

    [[skip]]                       # combinations that are no runs
    ratio = 0
    importance = "random"

    [[compare]]                    # each value of the axis with one of them, or with "baseline"
    axis = "importance"
    to = "l1"
    metric = "auroc_by_subject"
    margin = 0.01

    [[hypothesis]]
    says = "L1 is better than random kernels at 0.75"
    that = {importance = "l1", ratio = 0.75}
    than = {importance = "random", ratio = 0.75}
    is = "better"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from secateur.errors import SettingsError
from secateur.scoring.metrics import study_metrics
from secateur.settings import Settings, checked, read_toml

Scalar = str | bool | int | float
Flag = Scalar | tuple[Scalar, ...]
Values = Annotated[tuple[Flag, ...], Field(min_length=1)]

REPEATS = ("seed", "split-seed", "fold")
"""Axes over which a condition is repeated; the others make conditions."""

MAIN_METRICS = ("auroc_by_subject", "macro_f1_by_subject", "auroc", "macro_f1", "event_f1")
"""What a report's tables tell where the study names nothing else."""


class _Asked(Settings):
    """`metric`: see `scoring.metrics.study_metrics`. `margin`: what may be lost, for non-inferiority."""

    metric: str = "auroc_by_subject"
    margin: Annotated[float, Field(gt=0)] | None = None

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        if metric not in study_metrics():
            raise ValueError(f"there is no such metric; there is {', '.join(study_metrics())}")
        return metric


class Compare(_Asked):
    """Each value of `axis` with `to`, at each combination of the other axes.

    `to` "baseline": each value with its own network before pruning. `only`: values of other axes to which
    the comparison is kept. `title`: over the answers.
    """

    axis: str
    to: Flag
    only: Mapping[str, Flag] = {}
    title: str = ""


class Hypothesis(_Asked):
    """What is expected. `that`, `than`: values of axes (all runs with them); `than` "baseline": the networks
    before pruning of the same runs. `expected` ("is" in the file): better, worse, different,
    or not-worse (by no more than `margin`).
    """

    says: str
    that: Mapping[str, Flag]
    than: Mapping[str, Flag] | Literal["baseline"]
    expected: Annotated[Literal["better", "worse", "different", "not-worse"], Field(alias="is")]

    @model_validator(mode="after")
    def _fits(self) -> Hypothesis:
        if self.expected == "not-worse" and self.margin is None:
            raise ValueError(f"hypothesis {self.says!r}: not-worse needs a margin")
        return self


class When(Settings):
    """Further flags for the runs at `these` values of axes."""

    these: Mapping[str, Flag | tuple[Flag, ...]]
    flags: Mapping[str, Flag]


class StudyFile(Settings):
    """A study. `name`: of the file, without its ending. `metrics`: those that tables show.

    `settings`: tables as in a run's TOML file, under the flags; `config` names such a file, from the study
    file's folder, and stands in their place.
    """

    name: str = ""
    title: str = ""
    question: str
    axes: Mapping[str, Values]
    settings: Mapping[str, Any] = {}
    fixed: Mapping[str, Flag] = {}
    quick: Mapping[str, Flag | Values] = {}
    when: tuple[When, ...] = ()
    skip: tuple[Mapping[str, Flag | tuple[Flag, ...]], ...] = ()
    metrics: tuple[str, ...] = MAIN_METRICS
    compare: tuple[Compare, ...] = ()
    hypothesis: tuple[Hypothesis, ...] = ()

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        for metric in metrics:
            if metric not in study_metrics():
                raise ValueError(
                    f"there is no metric {metric}; there is {', '.join(study_metrics())}"
                )
        return metrics

    @field_validator("axes")
    @classmethod
    def _each_once(cls, axes: Mapping[str, tuple[Any, ...]]) -> Mapping[str, tuple[Any, ...]]:
        for name, values in axes.items():
            if len({repr(value) for value in values}) < len(values):
                raise ValueError(f"{name}: a value stands twice")
        return axes


def read_study(path: Path, quick: bool = False) -> StudyFile:
    """A study file; `quick`: with what its `[quick]` says in place of the rest.

    Raises `SettingsError` that names the file, the field, what came and what was wanted.
    """
    told = read_toml(path)
    told["name"] = path.stem
    config = told.pop("config", None)
    if config is not None:
        if "settings" in told:
            raise SettingsError(f"{path}: config and [settings] were both given; one is enough")
        told["settings"] = read_toml(path.parent / str(config))
    study = checked(StudyFile, told, path)
    _check_conditions(study)  # before [quick], which may leave values away
    return _quickened(study) if quick else study


def _check_conditions(study: StudyFile) -> None:
    """[[skip]] and [[when]] must name axes and values that are there; [[when]] sets no axis."""
    conditions: list[tuple[str, Mapping[str, Any]]] = [("[[skip]]", skip) for skip in study.skip]
    conditions += [("[[when]]", when.these) for when in study.when]
    for where, values in conditions:
        for name, value in values.items():
            if name not in study.axes:
                raise SettingsError(
                    f"{study.name}: {where} names {name}, which is no axis; there is "
                    f"{', '.join(study.axes)}"
                )
            there = [shown(each) for each in study.axes[name]]
            listed, *each = options(value)
            strange = [] if listed in there else [v for v in each or [listed] if v not in there]
            if strange:
                raise SettingsError(
                    f"{study.name}: {where} asks for {name} {strange[0]}, which no run has; there is "
                    f"{', '.join(map(str, there))}"
                )
    for when in study.when:
        axes = [name for name in when.flags if name in study.axes]
        if axes:
            raise SettingsError(
                f"{study.name}: [[when]] sets {axes[0]}, which is an axis: tables would tell another value "
                "than the runs had; use [[skip]], or name it in [fixed] in place of [axes]"
            )


def _quickened(study: StudyFile) -> StudyFile:
    axes, fixed = dict(study.axes), dict(study.fixed)
    for name, value in study.quick.items():
        if name in axes:
            axes[name] = value if isinstance(value, tuple) else (value,)
        else:
            fixed[name] = cast("Flag", value)
    return study.model_copy(update={"axes": axes, "fixed": fixed, "name": f"{study.name}-quick"})


def matches(at: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether a run stands at `values` of its axes; a list means one of its values, or the list itself."""
    return all(at.get(name) in options(value) for name, value in values.items())


def options(value: Any) -> list[Any]:
    """What a value of [[skip]] or [[when]] stands for, as tables show it: [16, 32] is 16, 32 or "16,32"."""
    inner = value if isinstance(value, tuple | list) else ()
    return [shown(value), *(shown(each) for each in inner)]


def shown(value: Any) -> Any:
    """A value as tables show it: a list as the words of a flag, [16, 32] as "16,32"."""
    if isinstance(value, tuple | list):
        return ",".join(str(one) for one in value)
    return value
