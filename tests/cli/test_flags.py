"""Flags, axes and dotted names are the settings' own: one place for each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from secateur.certifying.settings import LadderSettings, resolve_ladder
from secateur.cli import VERBS, main
from secateur.errors import SettingsError
from secateur.runs.data import Source
from secateur.runs.settings import RunSettings, resolve
from secateur.settings import Setting, Settings, assignments, flags_of, overrides_of, settings_of
from secateur.studies.file import read_study
from secateur.studies.plan import drafts

EXAMPLES = {
    "rename": ["A=B"], "force": True, "notch": 50, "network": "paper", "widths": "4,4,4",
    "schedule": "iterative:3", "post-processing": "fixed", "split": "recording", "target": "macs=30%",
    "rungs": "0.5,0.75", "certify": "folds:4", "margin": "auroc=0.02", "confidence": 0.9,
    "reviewer": "AB",
}  # fmt: skip
"""Values that aren't the default, of flags whose type alone doesn't say one."""


def example(setting: Setting) -> Any:
    """A value of a flag that is not its default."""
    assert setting.flag is not None
    schema, default = setting.schema, setting.field.get_default(call_default_factory=True)
    if setting.flag.name in EXAMPLES:
        return EXAMPLES[setting.flag.name]
    if "enum" in schema:
        return next(value for value in schema["enum"] if value not in (default, "pairs"))
    if schema["type"] == "boolean":
        return not default
    return schema.get("minimum", 0) + (3 if schema["type"] == "integer" else 0.375)


@pytest.mark.parametrize("model", [RunSettings, LadderSettings])
def test_every_flag_changes_its_setting_and_no_other(model: type[RunSettings]) -> None:
    resolver = resolve if model is RunSettings else resolve_ladder
    plain = _flat(resolver())
    for name, setting in flags_of(model).items():
        if name in ("fold", "folds-file"):  # go with a split by folds
            continue
        beside = {"cost-in": {"allocation": "cost"}, "reviewer": {"labels": "reviewed"}}.get(
            name, {}
        )
        changed = _flat(resolver(None, overrides_of(model, {name: example(setting), **beside})))
        different = {key for key in plain if changed[key] != plain[key]}
        also = {
            "seed": {"split.seed"},
            "certify": {"certify.folds"},
            "cost-in": {"pruning.allocation"},
            "reviewer": {"labels.use"},
        }.get(name, set())
        assert different - also == {setting.name}, name


IDLE = {
    "run": [
        {"pruning.cost_in": "us"},
        {"pruning.rewind_to": 5},
        {"pruning.ratio": 0.75, "pruning.target": "macs=30%"},
        {"training.background_per_epoch": 100, "training.draw": "all"},
        {"training.draw": "all", "training.windows_per_epoch": 100},
        {"training.augmentation.drop_channels": 0, "training.augmentation.drop_probability": 0.1},
        {"threshold.fixed": 0.5, "threshold.prevalence_expected": 0.02},
        {"threshold.fixed": 0.5, "threshold.shrinkage": 0.1},
        {"post_processing.threshold": 0.8},
    ],
    "prune": [
        {"pruning.ratio": 0.5},
        {"pruning.ratio": 0.75, "ladder.rungs": [0.5]},
        {"ladder.rungs": [0.5], "pruning.target": "macs=30%"},
        {"certify.by": "holdout", "ladder.repeats": 5},
        {"certify.by": "holdout", "certify.folds": 4},
        {"certify.by": "folds", "certify.share": 0.5},
    ],
}
"""Settings of which the last, or the first, would change nothing beside the others."""


@pytest.mark.parametrize(
    ("verb", "values"), [(verb, values) for verb, many in IDLE.items() for values in many]
)
def test_what_would_change_nothing_is_refused(
    verb: str, values: dict[str, Any], tmp_path: Path
) -> None:
    resolver: Any = resolve if verb == "run" else resolve_ladder
    with pytest.raises(SettingsError, match="would change nothing: ") as caught:
        resolver(None, values)
    assert "\n" not in str(caught.value)
    tables: dict[str, Any] = {}
    for name, value in values.items():
        *outer, last = name.split(".")
        table = tables
        for part in outer:
            table = table.setdefault(part, {})
        table[last] = value
    config = tmp_path / "settings.toml"
    config.write_text(tomli_w.dumps(tables))
    with pytest.raises(SettingsError, match="would change nothing: "):
        resolver(config)


def test_a_flag_that_goes_another_way_than_the_file_is_no_mistake() -> None:
    file = {"pruning": {"allocation": "cost", "cost_in": "us"}}
    assert resolve(file).pruning.cost_in == "us"
    global_ = resolve(file, {"pruning.allocation": "global"})
    assert global_ == resolve(None, {"pruning.allocation": "global"})  # and not another run
    with pytest.raises(SettingsError, match=r"pruning\.cost_in = us would change nothing"):
        resolve(file, {"pruning.allocation": "global", "pruning.cost_in": "us"})
    ladder = {"certify": {"by": "folds:4"}, "ladder": {"repeats": 5}}
    assert resolve_ladder(ladder, {"certify.by": "holdout"}) == resolve_ladder(
        None, {"certify.by": "holdout"}
    )


@pytest.mark.parametrize(
    ("verb", "values"),
    [
        ("run", {"pruning.allocation": "cost", "pruning.cost_in": "us"}),
        ("run", {"pruning.target": "macs=30%"}),
        ("run", {"post_processing.threshold": 0.8, "post_processing.release": 0.4}),
        ("prune", {"ladder.rungs": [0.5, 0.75], "certify.by": "folds", "certify.folds": 4}),
        ("prune", {"pruning.target": "macs=30%"}),
    ],
)
def test_the_file_of_all_settings_is_taken_again(
    verb: str, values: dict[str, Any], tmp_path: Path
) -> None:
    resolver: Any = resolve if verb == "run" else resolve_ladder
    settings, config = resolver(None, values), tmp_path / "config.toml"
    config.write_text(settings.to_toml())
    assert resolver(config) == settings


def _flat(settings: Settings, prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        inner = isinstance(value, Settings) and type(value).__name__ != "Target"
        values |= _flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return values


def test_every_setting_is_described_and_every_flag_is_one_settings() -> None:
    for model in (RunSettings, LadderSettings):
        for setting in settings_of(model):
            assert setting.field.description, setting.name
        names = [s.flag.name for s in settings_of(model) if s.flag is not None]
        repeated = {name for name in names if names.count(name) > 1}
        assert repeated == ({"force"} if model is LadderSettings else set())


def test_settings_without_a_flag_are_set_by_name(tmp_path: Path) -> None:
    words = ["training.learning_rate=0.01", "network.pooling=[2,2,2]", "chain.compression=none"]
    words += ["training.augmentation.shift=false", "pruning.target=macs=10%"]
    settings = resolve(None, assignments(RunSettings, words))
    assert settings.training.learning_rate == 0.01
    assert settings.network.pooling == (2, 2, 2)
    assert settings.chain.compression == "none"
    assert not settings.training.augmentation.shift
    assert str(settings.pruning.target) == "macs=10%"
    for word, reason in {
        "training.learning_rate": "wanted NAME=VALUE",
        "training.rate=1": "is no setting; did you mean training.learning_rate?",
        "trainin.epochs=1": "is no setting; did you mean training.epochs?",
        "epochs=1": "is no setting; did you mean training.epochs?",
        "training.speed=1": "is no setting; there is training.epochs, training.least_epochs",
        "training.epoch=1": "did you mean training.epochs or training.least_epochs?",
        "nonsense=1": "is no setting; docs/reference/settings.md lists them",
        "ladder.int8=true": "is no setting",
    }.items():
        with pytest.raises(SettingsError, match=reason):
            assignments(RunSettings, [word])


def test_a_setting_by_flag_and_by_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--data", str(tmp_path), "--out", str(tmp_path / "o"), "--epochs", "3"]
    assert main([*words, "--set", "training.epochs=4"]) == 1
    assert "training.epochs was given by a flag and by --set" in capsys.readouterr().err
    assert main([*words, "--set", "training.epoch=4"]) == 1
    assert "is no setting; did you mean training.epochs or" in capsys.readouterr().err


def test_axes_are_flags_or_settings_without_one(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    text = 'question = "?"\n[axes]\n"training.learning_rate" = [0.001, 0.01]\nseed = [1]\n'
    path.write_text(text)
    source = {"data": Source(tmp_path)}
    planned = drafts(read_study(path), source)
    assert [each.settings.training.learning_rate for each in planned] == [0.001, 0.01]
    path.write_text(text + '[fixed]\n"certify.share" = 0.4\n')
    assert {each.kind for each in drafts(read_study(path), source)} == {"prune"}
    for line, reason in {
        '"training.epochs" = 3': "training.epochs has a flag of its own: say epochs",
        '"training.epoch" = 3': "training.epoch is no flag of run or prune",
        'rungs = "0.5"\nratio = 0.5': "ratio is a flag of run and rungs one of prune",
    }.items():
        path.write_text(f"{text}[fixed]\n{line}\n")
        with pytest.raises(SettingsError, match=reason):
            drafts(read_study(path), source)


def test_words_in_parts_are_taken_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They come as far as the folder that isn't there."""
    where = ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "o")]
    for words in (["run", "--split", "folds:3", "--fold", "2"], ["prune", "--certify", "folds:4"]):
        more = ["--schedule", "iterative:3", "--post-processing", "fixed", "--force"]
        assert main([*words, *where, *more]) == 1
        assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], *([verb] for verb in VERBS)])
def test_help_needs_no_torch(words: list[str]) -> None:
    program = (
        "import sys\nfrom secateur.cli import main\n"
        f"code = main({[*words, '--help']!r})\n"
        "heavy = {'torch', 'scipy', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(code or ' '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (
            "run --bakground x",
            "run has no --bakground; did you mean --background or --test-background?",
        ),
        ("run --epoch 3", "run has no --epoch; did you mean --epochs?"),
        ("run --test x", "run has no --test; did you mean --test-background or --test-data?"),
        ("run --learning-rate 3", "did you mean --set training.learning_rate=VALUE?"),
        ("run --pruning.ratio 3", "did you mean --ratio?"),
        ("run --margin auroc=1", "run has no --margin; it is a flag of prune"),
        ("prune --ratio 0.5", "prune has no --ratio; --rungs stands in its place"),
        ("prune --split folds:3", "prune has no --split; --certify stands in its place"),
        ("run --target macs=30%", "run has no --target; --ratio stands in its place"),
        ("detect --output x", "detect has no --output; did you mean --out or --output-root?"),
        ("detect --zzz", "detect has no --zzz; secateur detect --help lists its flags"),
        ("--zzz", "No such option: --zzz"),
        ("runn", "No such command 'runn'. Did you mean 'run'"),
    ],
)
def test_a_misspelt_flag_is_answered_by_what_was_meant(
    words: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 1
    assert meant in capsys.readouterr().err
