"""What was done and what came out, in sentences for a methods section.

Comes in: a `RunResult`. Goes out: plain text; every number is the run's own. Next: `sections` and
`model_card` show it.
"""

from __future__ import annotations

from collections.abc import Sequence

from secateur.reporting.splits import divided, how_chosen, prevalence, unseen
from secateur.reporting.style import (
    bounds,
    count,
    number,
    percent,
    plain,
    plural,
    share,
    signed,
)
from secateur.studies import RunResult
from secateur.training import TrainingSettings

_NETWORKS = {
    "valid": "unpadded convolutions",
    "paper": "convolutions that keep the length",
}
_IMPORTANCE = {"l1": "the smallest L1 norm of their weights", "random": "the lowest lot drawn"}
_ALLOCATION = {
    "uniform": "From every convolution",
    "global": "From all convolutions together, each layer's scores divided by their mean,",
}
_MISSING = {
    "error": "",
    "skip": " Recordings that lack a channel of it were left out.",
    "zero": " Missing channels were filled with zeros.",
}


def methods(result: RunResult) -> list[str]:
    """Paragraphs: data and signals, network and pruning, evaluation."""
    return [_data(result), _network(result), _evaluation(result)]


def outcome(result: RunResult) -> str:
    """What came out, in two sentences and no praise."""
    base, pruned = (result.result["models"][name] for name in ("baseline", "pruned"))
    told = pruned["minus_baseline"]
    inside = told["by_subject"]
    before, after = (one["test"]["by_subject"]["auroc"] for one in (base, pruned))
    cut = percent(share(pruned["parameters"], base["parameters"]))
    macs = percent(share(pruned["macs"], base["macs"]))
    return (
        f"The pruned network has {count(pruned['parameters'])} of {count(base['parameters'])} "
        f"parameters ({cut}) and needs {macs} of the multiplications. On the test subjects its "
        f"AUROC (mean over subjects) is {number(after)}, the baseline’s {number(before)}: a difference "
        f"of {signed(inside['difference']['auroc'])} {bounds(inside['intervals']['auroc'], sign=True)} "
        f"inside subjects, and over all windows together of {signed(told['difference']['auroc'])} "
        f"{bounds(told['intervals']['auroc'], sign=True)} ({told['what']})."
    )


def _data(result: RunResult) -> str:
    data, settings = result.result["data"], result.settings
    chain, windows = settings.chain, settings.windows
    notch = f" and a notch at {plain(chain.notch)} Hz" if chain.notch is not None else ""
    scaling = (
        "scaled by the mean and standard deviation of each channel over the training subjects"
        if chain.scaling == "training-set"
        else "scaled by a causal running estimate of each channel’s level and spread"
    )
    squeezed = " and compressed by asinh" if chain.compression == "asinh" else ""
    kind = "Simulated EEG" if data["simulated"] else "EEG"
    known = data["subjects"] is not None
    people = plural(data["subjects"], "subject") if known else "subjects who are not known"
    return (
        f"{kind} of {people} ({data['name']}: "
        f"{plural(data['recordings'], 'recording')}, {number(data['hours'], 2)} h, "
        f"{plural(data['seizures'], 'seizure')}, {percent(data['prevalence'], 1)} of the time ictal; "
        f"background: {data['background']}) was brought to the montage {chain.montage}, resampled to "
        f"{plain(chain.sampling_rate)} Hz, filtered causally from {plain(chain.low)} to "
        f"{plain(chain.high)} Hz (Butterworth, order {chain.order}){notch}, {scaling}{squeezed}, and cut "
        f"into windows of {plain(windows.length)} s every {plain(windows.hop)} s.{_MISSING[chain.missing]} "
        f"A window counts as seizure where at least {percent(windows.label_share)} of it lies inside "
        f"a labelled seizure, and speaks for its last {plain(windows.hop)} s. "
        f"{divided(result.result['split'])}: {_sides(result)}."
    )


def _sides(result: RunResult) -> str:
    split = result.result["split"]
    told = []
    for side, verb in (("training", "train"), ("validation", "validate"), ("test", "test")):
        one = split["counts"][side]
        known = split["crossing"]["known"]
        who = plural(
            *((len(split[side]), "subject") if known else (one["recordings"], "recording"))
        )
        told.append(
            f"{who} to {verb} ({count(one['windows'])} windows, "
            f"{count(one['ictal_windows'])} ictal)"
        )
    test = result.material.test_cohort
    how = how_chosen(split, None if test is None else test.name)
    thinned = ""
    if split["prevalence"]["asked"] is not None:
        thinned = f"; ictal are {prevalence(split)}"
    return f"{told[0]}, {told[1]} and {told[2]}; {how}{thinned}"


def _apart(result: RunResult) -> str:
    """Whether what was tested on is new to the network."""
    if unseen(result.result["split"]):
        return "the test subjects took no part in training, selection or thresholds"
    return "the test windows took no part in it, their subjects did"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(plain(value) for value in values)


def _network(result: RunResult) -> str:
    settings, models = result.settings, result.result["models"]
    network, training, pruning = settings.network, settings.training, result.result["pruning"]
    first = min(training.least_epochs, training.epochs)
    shown = _training(training, result.material.sides["training"].channels)
    edges = "; windows across a seizure’s edge were not learnt from"
    cuts = ", ".join(
        f"{before} to {after}"
        for before, after in zip(
            models["baseline"]["kernels"], models["pruned"]["kernels"], strict=True
        )
    )
    return (
        f"A 1D convolutional network of {plural(len(network.widths), 'block')} (convolution, batch "
        f"normalisation, ReLU, dropout {plain(network.dropout)}, max-pooling; {_NETWORKS[network.name]}; "
        f"{_numbers(network.widths)} kernels of {_numbers(network.kernel_sizes)} samples, pooling by "
        f"{_numbers(network.pooling)}; {count(models['baseline']['parameters'])} parameters) was "
        f"trained with Adam on cross-entropy (learning rate {plain(training.learning_rate)}, weight "
        f"decay {plain(training.weight_decay)}, batches of {training.batch_size}, at most "
        f"{plural(training.epochs, 'epoch')}, seed {settings.seed}) and stopped early "
        f"on the validation subjects’ macro-F1 (from epoch {first} on, patience "
        f"{plural(training.patience, 'epoch')}, least improvement {plain(training.min_improvement)})"
        f"{edges if settings.windows.leave_out_edges else ''}. {shown} "
        f"{_ALLOCATION[settings.pruning.allocation]} the kernels with "
        f"{_IMPORTANCE[pruning['importance']]} were removed, "
        f"{percent(pruning['ratio_requested'])} asked and {percent(pruning['ratio_achieved'], 1)} done "
        f"({cuts} kernels). On real windows the "
        f"smaller network gave what the whole one gives with those kernels silenced (largest difference "
        f"of a logit {pruning['equivalence_max_abs_error']:.1e}, float64). The smaller network was then "
        "retrained with the same hyperparameters. As controls stand a network of the pruned size "
        "trained from scratch, the same allocation with kernels chosen at random, the baseline "
        "retrained as long, and a random forest on band powers, line length and variance."
    )


def _training(training: TrainingSettings, channels: int) -> str:
    """What each epoch shows, what is changed in it, and which weights are kept."""
    weights = training.class_weights
    told = weights if isinstance(weights, str) else _numbers(weights)
    if training.background_per_epoch is not None:
        drawn = (
            f"all ictal windows and {count(training.background_per_epoch)} background ones drawn "
            f"afresh (class weights: {told})"
        )
    elif training.draw == "balanced":
        drawn = (
            f"{count(training.windows_per_epoch)} windows drawn so that classes, and subjects within "
            "a class, come up alike"
        )
    else:
        drawn = f"every training window once (class weights: {told})"
    rules = training.augmentation
    most = min(rules.drop_channels, channels - 1)
    changes = [
        (rules.gain > 1, f"amplitude scaled by up to {plain(rules.gain)} either way"),
        (
            most > 0 and rules.drop_probability > 0,
            f"up to {most} channels silenced in {percent(rules.drop_probability)} of the windows",
        ),
        (rules.permute_channels and channels > 1, "channels put into random order"),
        (rules.shift, "windows moved by up to half a hop"),
    ]
    changed = "; ".join(what for does, what in changes if does) or "nothing"
    kept = ""
    if training.averaging > 0:
        kept += f" Kept are weights averaged over steps (decay {plain(training.averaging)})."
    if training.recalibration > 0:
        kept += (
            f" BatchNorm's statistics were taken anew after each epoch from "
            f"{training.recalibration} batches of unchanged windows, without dropout."
        )
    return f"An epoch shows {drawn}; changed in training windows: {changed}.{kept}"


def _evaluation(result: RunResult) -> str:
    rules = result.settings.post_processing
    trust = result.settings.threshold.trust
    part = (
        f", taken {percent(trust)} of the way from 0.5 on the scale of log odds"
        if trust < 1
        else ""
    )
    test = result.result["models"]["baseline"]["test"]
    return (
        f"Each model’s threshold is the one with the largest macro-F1 on the validation side{part}; "
        f"{_apart(result)}. Scores are given over all "
        "test windows together (pooled) and as the unweighted mean over test subjects. Intervals of "
        f"pooled scores: {test['intervals']['what']}; those of means over subjects: 95 %, bootstrap "
        "over subjects, not given for fewer than five. For events, neighbouring windows at or above the "
        f"threshold were joined, gaps of up to {plain(rules.merge_gap)} s closed, events shorter than "
        f"{plain(rules.shortest)} s dropped, and scored with timescoring "
        f"{result.result['timescoring']}. Latency is that of one window through ONNX Runtime, one "
        "thread, on the machine that made this run."
    )
