"""The pages of settings and of study files, from the settings themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from benchmarks.reference.words import HEAD, as_text, row, takes
from secateur.certifying.settings import LadderSettings
from secateur.detectors.adapting import StudiedAdapting
from secateur.explaining import StudiedSettings
from secateur.runs.settings import RunSettings
from secateur.scoring.metrics import METRICS, PREVALENCE, background_metrics, study_metrics
from secateur.settings import Setting, Settings, settings_of
from secateur.studies import file as study_file
from secateur.studies.file import Compare, Hypothesis, StudyFile, When


def settings_page() -> str:
    """Every setting of `run` and `prune`, by table."""
    lines = [
        "# Settings",
        HEAD,
        "",
        "Every setting of `secateur run` and `secateur prune`: what it takes, its default, its flag. Given",
        "",
        "- in a TOML file, `--config run.toml`, in tables of these names (`config.toml` of a run is one);",
        "- by flag, `--epochs 20`, or, without one, by name: `--set training.learning_rate=0.01`. Both go "
        "before the file;",
        '- in Python: `secateur.run("recordings", "runs/first", settings={"training.epochs": 20})`;',
        "- in a study ([study-file.md](study-file.md)): flags without dashes, or names of settings, as axes.",
        "",
        "```toml",
        "seed = 1",
        "",
        "[split]",
        'by = "folds:5"',
        "fold = 1",
        "",
        "[training]",
        "epochs = 20",
        "```",
        "",
        "*(run)* and *(prune)*: of that verb alone.",
    ]
    run = {setting.name for setting in settings_of(RunSettings)}
    tables: dict[str, list[Setting]] = {}
    for setting in settings_of(LadderSettings):
        tables.setdefault(setting.name.rpartition(".")[0], []).append(setting)
    for table, settings in tables.items():
        alone = all(setting.name not in run for setting in settings)
        lines += ["", f"## [{table}]" if table else "## Above all tables", ""]
        if table:
            lines += [as_text(settings[0].model.__doc__) + (" *(prune)*" if alone else ""), ""]
        lines += ["| setting | flag | takes | default | |", "|---|---|---|---|---|"]
        for setting in settings:
            name = setting.name.rpartition(".")[2]
            only = " *(prune)*" if table == "" and setting.name not in run else ""
            lines.append(
                row(
                    f"`{name}`{only}",
                    _flag(setting),
                    _takes(setting),
                    f"`{setting.default}`" if setting.default else "",
                    as_text(setting.field.description),
                )
            )
    return "\n".join(lines) + "\n"


def _flag(setting: Setting) -> str:
    if setting.flag is None:
        return ""
    return f"`--{setting.flag.name}`" + (f" *({setting.flag.only})*" if setting.flag.only else "")


def study_page() -> str:
    """Every table and key of a study file."""
    _, _, example = (study_file.__doc__ or "").partition("\n\n")
    lines = [
        "# The study file",
        HEAD,
        "",
        "`secateur study FILE.toml --data FOLDER --out DIR` does every run that the file asks for, and "
        "compares them. Such files, with what came out, are in `studies/`.",
        "",
        "```toml",
        textwrap.dedent(example).strip(),
        "```",
        "",
        "Values of flags are written as on the command line, or as TOML: `widths` is `[16, 32, 64]` or "
        '`"16,32,64"`. Flags and settings: [settings.md](settings.md). A study whose flags include one that '
        "`secateur prune` alone has is a study of ladders.",
    ]
    tables: list[tuple[str, type[Settings]]] = [
        ("Keys and tables", StudyFile),
        ("[[when]]", When),
        ("[[compare]]", Compare),
        ("[[hypothesis]]", Hypothesis),
        ("[explain]", StudiedSettings),
        ("[adapt]", StudiedAdapting),
    ]
    for title, model in tables:
        lines += ["", f"## {title}", ""]
        if model is not StudyFile:
            lines += [as_text(model.__doc__), ""]
        lines += ["| key | takes | default | |", "|---|---|---|---|"]
        schema = model.model_json_schema()
        # a subclass's fields come behind those that it inherits, which say less
        for name, field in sorted(
            model.model_fields.items(), key=lambda item: item[0] in ("metric", "margin")
        ):
            if (model, name) == (StudyFile, "name"):
                continue
            key = field.alias or name
            default = schema["properties"][key].get("default")
            value = ", ".join(default) if isinstance(default, list) else default
            value = str(value).lower() if isinstance(value, bool) else value
            required = "*needed*" if field.is_required() else f"`{value}`" if value else ""
            lines.append(row(f"`{key}`", KINDS[name], required, as_text(field.description)))
    lines += ["", "## Metrics", "", "| of what | metrics |", "|---|---|"]
    for meaning, names in _by_meaning(study_metrics()).items():
        lines.append(f"| {meaning} | {', '.join(f'`{name}`' for name in names)} |")
    lines += [
        "",
        "Those of windows also with the ending `_after_0` (right after the cut), `_after_1`, `_after_2` or "
        "`_after_4` (epochs of retraining), such as `auroc_by_subject_after_1`; beside them the networks "
        "before pruning stand as they are in the end.",
        "",
        "On people in whom nothing happens (`background`, `test-background`): "
        + ", ".join(f"`{metric}`" for metric in background_metrics())
        + ", the unweighted mean over them; with the ending `_on_NAME` those of one data set, such as "
        "`ordinary_called_on_eegmat`.",
    ]
    return "\n".join(lines) + "\n"


def _by_meaning(metrics: Iterable[str]) -> dict[str, list[str]]:
    by_meaning: dict[str, list[str]] = {}
    for name in metrics:
        plain = name.removesuffix("_by_subject")
        scope = METRICS[plain].scope
        meaning = _BY_SUBJECT if plain != name else _SCOPES[scope]
        by_meaning.setdefault(meaning, []).append(name)
    return by_meaning


_BY_SUBJECT = (
    "windows inside each test subject, then the mean over subjects with equal weight: what to expect for the "
    "next patient. Subjects whose labels leave it undefined, as AUROC without a seizure, are left out"
)
_SCOPES = {
    "windows": "all windows of the test side together; where a threshold is needed, at that of validation",
    "events": "seizures found and missed over the test side, as timescoring counts them",
    "prevalence": "what sensitivity and specificity by window would give, were "
    f"{100 * PREVALENCE:g} % of all windows ictal",
}


KINDS = {
    "title": "words", "question": "words", "axes": "table of lists", "settings": "tables",
    "fixed": "table", "pruned": "true or false", "quick": "table", "when": "tables", "skip": "tables",
    "metrics": "list of metrics",
    "compare": "tables", "hypothesis": "tables", "where": "table", "flags": "table", "metric": "a metric",
    "margin": "number above 0", "axis": "an axis", "to": "a value of it, or baseline", "only": "table",
    "claim": "words", "group_a": "table", "group_b": "table, or baseline",
    "expected": "better, worse, different or not-worse", "explain": "table", "adapt": "table",
    "methods": "list of gradient, integrated, occlusion, shap", "events": "whole number from 1",
    "windows": "whole number from 1", "steps": "whole number from 1", "samples": "whole number from 1",
    "references": "whole number from 1", "rounds": "whole number from 1",
    "method": "none, threshold, bn, head, full or scratch", "epochs": "whole number from 1",
    "seizures": "share between 0 and 1",
}  # fmt: skip


def _takes(setting: Setting) -> str:
    metavar = setting.flag.metavar if setting.flag is not None else ""
    return takes(setting.schema) + (f"; as words `{metavar}`" if set(metavar) & set("|=,") else "")
