"""A study as a file: what is asked, which runs answer it, what is compared.

question = "Does the criterion matter?"

[axes]                         # lists; every combination is a run. Flags, or names of settings
data = ["chbmit", "bonn"]
importance = ["l1", "random"]
ratio = [0, 0.5, 0.75]
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

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from secateur.detectors.adapting import StudiedAdapting
from secateur.errors import ScoringError, SettingsError
from secateur.explaining import StudiedSettings
from secateur.scoring.metrics import check_study_metric
from secateur.settings import Settings, checked, read_toml

Scalar = str | bool | int | float
Option = Scalar | tuple[Scalar, ...]
"""What a flag or a setting takes."""
Options = Annotated[tuple[Option, ...], Field(min_length=1)]

REPEATS = ("seed", "split-seed", "fold")
"""Axes over which a condition is repeated; the others make conditions."""

MAIN_METRICS = ("auroc_by_subject", "macro_f1_by_subject", "auroc", "macro_f1", "event_f1")
"""What a report's tables tell where the study names nothing else."""


def _checked_metric(metric: str) -> str:
    try:
        check_study_metric(metric)
    except ScoringError as error:
        raise ValueError(str(error)) from None
    return metric


class _Question(Settings):
    metric: str = "auroc_by_subject"
    """What is compared; see *Metrics*."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """What may be lost, in the metric's own unit, for non-inferiority."""

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        return _checked_metric(metric)


class Compare(_Question):
    """Each value of an axis with one of them, at each combination of the other axes."""

    axis: str
    """The axis."""
    to: Option
    """The value that the others are compared with; "baseline": each with its own network before pruning."""
    only: Mapping[str, Option] = {}
    """Values of other axes to which the comparison is kept."""
    title: str = ""
    """Over the answers."""


class Hypothesis(_Question):
    """What is expected of two groups of runs."""

    claim: Annotated[str, Field(alias="says")]
    """The hypothesis in words."""
    group_a: Annotated[Mapping[str, Option], Field(alias="that")]
    """Values of axes: all runs with them."""
    group_b: Annotated[Mapping[str, Option] | Literal["baseline"], Field(alias="than")]
    """Values of axes; "baseline": the networks before pruning of the same runs."""
    expected: Annotated[Literal["better", "worse", "different", "not-worse"], Field(alias="is")]
    """What the first group is; not-worse: by no more than `margin`."""

    @model_validator(mode="after")
    def _fits(self) -> Hypothesis:
        if self.expected == "not-worse" and self.margin is None:
            raise ValueError(f"hypothesis {self.claim!r}: not-worse needs a margin")
        return self


class When(Settings):
    """Further flags for some runs."""

    where: Annotated[Mapping[str, Option | tuple[Option, ...]], Field(alias="these")]
    """Values of axes: the runs with them; of a list, with one of its values."""
    flags: Mapping[str, Option]
    """Flags of these runs; none of them an axis."""


class StudyFile(Settings):
    """A study."""

    name: str = ""
    """The file's name without its ending; not written in it."""
    title: str = ""
    """Over the report."""
    question: str
    """What the study asks, in a sentence."""
    axes: Mapping[str, Options]
    """Lists of values by flag, or by a setting's dotted name; every combination is a run. seed, split-seed
    and fold repeat a condition, the others make conditions; data and test-data name folders of `--data`, and
    so do background (declared free of seizures) and test-background (the same, and everybody in it tests).
    bits is 32, or 8: networks before pruning and pruned are quantised once they are trained, and judged so,
    each with a threshold of its own (weights have 7 bits where the processor lacks VNNI). An axis that is
    none of these may have any name: what its values mean is said by `[[when]]`."""
    pruned: bool = True
    """Whether networks are pruned; false: the study is of networks as they are trained."""
    explain: StudiedSettings | None = None
    """With such a table the networks of each run, before pruning and pruned, are explained on seizures of the
    test side, and what that costs is measured."""
    adapt: StudiedAdapting | None = None
    """With such a table the networks of each run, before pruning and pruned, are fitted to each test
    subject's earlier recordings, and all scores are of the later ones. Its keys are axes and flags too, such
    as `adapt.method`. Needs a split by subject."""
    settings: Mapping[str, Any] = {}
    """Tables of settings as in a run's TOML file, under the flags. `config = "FILE.toml"` names such a file,
    from the study file's folder, and stands in their place."""
    fixed: Mapping[str, Option] = {}
    """Flags, or settings by dotted names, of every run."""
    quick: Mapping[str, Option | Options] = {}
    """With `--quick`: in place of axes and fixed flags of these names."""
    when: tuple[When, ...] = ()
    """Further flags for some runs."""
    skip: tuple[Mapping[str, Option | tuple[Option, ...]], ...] = ()
    """Values of axes that together are no runs; of a list, each of its values."""
    metrics: tuple[str, ...] = MAIN_METRICS
    """What the report's tables show."""
    compare: tuple[Compare, ...] = ()
    """Comparisons along an axis."""
    hypothesis: tuple[Hypothesis, ...] = ()
    """Hypotheses, judged together."""

    @model_serializer(mode="wrap")
    def _without_empty_adapt(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Plans from before there was such a table are written as they were read."""
        values = handler(self)
        if self.adapt is None:
            values.pop("adapt", None)
        return values

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_checked_metric, metrics))

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
    tables = read_toml(path)
    tables["name"] = path.stem
    config = tables.pop("config", None)
    if config is not None:
        if "settings" in tables:
            raise SettingsError(f"{path}: config and [settings] were both given; one is enough")
        tables["settings"] = read_toml(path.parent / str(config))
    study = checked(StudyFile, tables, path)
    _check_conditions(study)  # before [quick], which may leave values away
    return _quickened(study) if quick else study


def check_values(
    where: str, values: Mapping[str, Any], study: StudyFile, alternatives: bool = False
) -> None:
    """Refuse values that no run has, and names that are no axes.

    `where`: what asks for them. `alternatives`: a list may stand for each of its values too, not for itself
    alone. Raises `SettingsError`.
    """
    for name, value in values.items():
        if name not in study.axes:
            raise SettingsError(
                f"{where} names {name}, which is no axis; there is {', '.join(study.axes)}"
            )
        known = [as_word(each) for each in study.axes[name]]
        listed, *each = options(value)
        asked = each if alternatives and each and listed not in known else [listed]
        for strange in [value for value in asked if value not in known][:1]:
            raise SettingsError(
                f"{where} asks for {name} {strange}, which no run has; there is "
                f"{', '.join(map(str, known))}"
            )


def _check_conditions(study: StudyFile) -> None:
    """[[skip]] and [[when]] must name axes and values that are there; [[when]] sets no axis."""
    for skip in study.skip:
        check_values(f"{study.name}: [[skip]]", skip, study, alternatives=True)
    for when in study.when:
        check_values(f"{study.name}: [[when]]", when.where, study, alternatives=True)
        axes = [name for name in when.flags if name in study.axes]
        if axes:
            raise SettingsError(
                f"{study.name}: [[when]] sets {axes[0]}, which is an axis: tables would show another value "
                "than the runs had; use [[skip]], or name it in [fixed] in place of [axes]"
            )
    if not study.pruned and (by_pruning := [q.axis for q in study.compare if q.to == "baseline"]):
        raise SettingsError(
            f"{study.name}: [[compare]] of {by_pruning[0]} with the network before pruning, and nothing is "
            "pruned; leave pruned = false away, or compare with a value of the axis"
        )


def _quickened(study: StudyFile) -> StudyFile:
    axes, fixed = dict(study.axes), dict(study.fixed)
    for name, value in study.quick.items():
        if name in axes:
            axes[name] = value if isinstance(value, tuple) else (value,)
        else:
            fixed[name] = cast("Option", value)
    return study.model_copy(update={"axes": axes, "fixed": fixed, "name": f"{study.name}-quick"})


def matches(at: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether a run stands at `values` of its axes; a list means one of its values, or the list itself."""
    return all(at.get(name) in options(value) for name, value in values.items())


def options(value: Any) -> list[Any]:
    """What a value of [[skip]] or [[when]] stands for, in words: [16, 32] is 16, 32 or "16,32"."""
    inner = value if isinstance(value, tuple | list) else ()
    return [as_word(value), *(as_word(each) for each in inner)]


def as_word(value: Any) -> Any:
    """A value as tables show it: a list as the words of a flag, [16, 32] as "16,32"."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else value
