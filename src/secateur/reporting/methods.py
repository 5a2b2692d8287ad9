"""What was done, in sentences for a methods section: data, their split, the network, training, cutting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from secateur.counts import plural
from secateur.recordings.montage import electrodes_of
from secateur.reporting.document import count, number, percent, plain
from secateur.results import DataSummary, Heading, Pruning, Rules, Scores, SplitSummary
from secateur.scoring.metrics import METRICS

if TYPE_CHECKING:
    from secateur.pruning import PruningSettings
    from secateur.runs import RunSettings
    from secateur.training import TrainingSettings
    from secateur.windows import ChainSettings

SIDES = ("training", "validation", "certification", "test")
"""In the order of every table; not every split has all."""

LATENCY = "Latency is that of one window through ONNX Runtime, one thread, on the machine that made this run."

_UNIT = {
    "subject": "Subjects, not recordings or windows, were divided",
    "recording": "Recordings were divided, so one subject may stand on several sides",
    "window": "Windows were divided at random, classes alike, so one recording, even one seizure, stands "
    "on several sides",
}
_NETWORKS = {
    "valid": "A 1D convolutional network of unpadded blocks (convolution, batch normalisation, ReLU, "
    "dropout, max-pooling",
    "paper": "A 1D convolutional network whose blocks keep the length (convolution, batch normalisation, "
    "ReLU, dropout, max-pooling",
    "eegnet": "EEGNet (Lawhern et al., 2018",
    "shallow": "ShallowFBCSPNet (Schirrmeister et al., 2017",
    "deep4": "Deep4Net (Schirrmeister et al., 2017",
    "tcn": "A temporal convolutional network (residual, dilated, after Bai et al., 2018",
    "separable": "A network of depthwise separable convolutions (after Howard et al., 2017",
}
_IMPORTANCE = {
    "l1": "the smallest L1 norm of their weights",
    "l1-folded": "the smallest L1 norm of their weights, batch normalisation folded in,",
    "l2": "the smallest L2 norm of their weights",
    "random": "the lowest lot drawn",
    "fpgm": "the least distance to their layer’s other kernels (geometric median)",
    "batchnorm": "the smallest scale in batch normalisation",
    "activation": "the smallest mean activation",
    "apoz": "the largest share of zeros behind ReLU",
    "taylor": "the smallest first-order Taylor estimate of what the loss would change",
    "taylor-2019": "the smallest squared first-order change of a batch’s loss (Molchanov et al., 2019)",
    "taylor-by-class": "the smallest first-order Taylor estimate, taken by class, the larger counting,",
    "fisher": "the smallest diagonal Fisher information",
}
_ALLOCATION = {
    "uniform": "From every convolution",
    "global": "From all convolutions together, each layer’s scores divided by their mean,",
    "global-unnormalised": "From all convolutions together, by scores as they are,",
    "sensitivity": "Most from the layers whose loss mattered least,",
    "cost": "So that most importance was kept for the cost ({cost}),",
    "dynamic": "From all convolutions together, decided anew after each epoch of soft pruning,",
}
_COSTS = {"macs": "in MACs", "us": "in microseconds measured in ONNX Runtime"}
_RETRAINING = {
    "finetune": "went on training from the weights that were left, with the same hyperparameters",
    "rewind": "was set back to the weights of epoch {epoch} and trained from there",
    "scratch": "was trained from new random weights",
    "distil": "went on training from the weights that were left, on the baseline’s soft outputs too",
}
_MISSING = {
    "error": "",
    "skip": " Recordings that lack a channel of it were left out.",
    "zero": " Missing channels were filled with zeros.",
}


def sides_of(split: SplitSummary) -> dict[str, tuple[str, ...]]:
    """Subjects by side, for sides that there are."""
    return {side: who for side in SIDES if (who := getattr(split, side)) is not None}


def is_unseen(split: SplitSummary) -> bool:
    """Whether no test subject was learned from."""
    return not split.leakage.subjects and split.unit == "subject"


def tested_on(split: SplitSummary) -> str:
    """Whom it was tested on, to follow "tested on"."""
    people, leakage = plural(len(split.test or ()), "subject"), split.leakage
    if not leakage.known:
        return f"other {split.unit}s; who was recorded is not known, nor who stands on both sides"
    if is_unseen(split):
        return f"{people} that it had never seen"
    if split.unit == "window":
        return f"windows of {people} of whom it had learned from other windows"
    return f"other recordings of {people}, of whom it had learned from {leakage.subjects}"


def mean_over(subjects: Mapping[str, Scores], key: str) -> str:
    """Of how many subjects the mean of a score is: those whose labels define it."""
    defined = sum(scores.get(key) is not None for scores in subjects.values())
    total = plural(len(subjects), "subject")
    if defined == len(subjects):
        return f"mean over {total}"
    return f"mean over {defined} of {total}, those with {METRICS[key].defined_when}"


def trained_on(split: SplitSummary) -> str:
    """What it was trained on, to follow "trained on"."""
    if not split.leakage.known:
        return plural(split.counts["training"].recordings, "recording")
    return plural(len(split.training), "subject")


def divided(split: SplitSummary) -> str:
    """What was divided, and what stands on both sides."""
    leakage = split.leakage
    if split.unit == "subject":
        return _UNIT["subject"]
    people = f"{leakage.subjects} of {plural(leakage.of_subjects, 'subject')}, "
    windows = ""
    if leakage.windows:
        windows = (
            f", and {leakage.windows:,} of {plural(leakage.of_windows, 'window')} share samples "
            "with windows learned from"
        )
    return (
        f"{_UNIT[split.unit]}: of the test side {people if leakage.known else ''}"
        f"{leakage.recordings} of {plural(leakage.of_recordings, 'recording')} and {leakage.seizures} of "
        f"{plural(leakage.of_seizures, 'seizure')} were also learned from{windows}"
    )


def how_chosen(split: SplitSummary, test_data: str | None) -> str:
    """By which rule sides were made. `test_data`: name of the data set kept for testing."""
    if test_data is not None:
        return f"test subjects are those of {test_data}"
    if split.by == "leave-one-subject-out":
        return f"one subject left out, fold {split.fold}, validation at random, seed {split.seed}"
    if split.fold is not None:
        return f"fold {split.fold} of {split.folds}, seed {split.seed}"
    return f"at random, seed {split.seed}"


def prevalence(split: SplitSummary) -> str:
    """Shares of ictal windows: the data's own, and on each side."""
    shares = split.prevalence
    sides = ", ".join(
        f"{percent(shares[side], 1)} {side}" for side in SIDES if shares.get(side) is not None
    )
    which = "all sides" if split.unit == "window" else "the training side alone"
    target = shares.get("asked")
    thinned = "" if target is None else f", {which} thinned to {percent(target, 1)}"
    return f"{percent(shares['natural'], 1)} of all windows; {sides}{thinned}"


def who_learned(split: SplitSummary, test_data: str | None) -> str:
    """How many train, validate and test, and how they were chosen."""
    parts = []
    for side, verb in (("training", "train"), ("validation", "validate"), ("test", "test")):
        counts, who = split.counts[side], getattr(split, side)
        people = plural(len(who), "subject")
        if not split.leakage.known:
            people = plural(counts.recordings, "recording")
        parts.append(
            f"{people} to {verb} ({count(counts.windows)} windows, "
            f"{count(counts.ictal_windows)} ictal)"
        )
    thinned = (
        f"; ictal are {prevalence(split)}" if split.prevalence.get("asked") is not None else ""
    )
    return f"{parts[0]}, {parts[1]} and {parts[2]}; {how_chosen(split, test_data)}{thinned}"


def montage(chain: ChainSettings) -> str:
    """The montage by its name; pairs of the user's own one by one, with the electrodes that they need."""
    if chain.montage != "pairs":
        return chain.montage
    electrodes = plural(len(electrodes_of(chain.channels)), "electrode")
    return f"of the pairs {', '.join(chain.channels)} ({electrodes})"


def signals(data: DataSummary, settings: RunSettings) -> str:
    """The recordings, and how windows were made of them."""
    chain, windows = settings.chain, settings.windows
    notch = f" and a notch at {plain(chain.notch)} Hz" if chain.notch is not None else ""
    scaling = (
        "scaled by the mean and standard deviation of each channel over the training subjects"
        if chain.scaling == "training-set"
        else "scaled by a causal running estimate of each channel’s level and spread"
    )
    squeezed = " and compressed by asinh" if chain.compression == "asinh" else ""
    kind = "Simulated EEG" if data.simulated else "EEG"
    known = data.subjects is not None
    people = plural(data.subjects or 0, "subject") if known else "subjects who are not known"
    return (
        f"{kind} of {people} ({data.name}: "
        f"{plural(data.recordings, 'recording')}, {number(data.hours, 2)} h, "
        f"{plural(data.seizures, 'seizure')}, {percent(data.prevalence, 1)} of the time ictal; "
        f"background: {data.background}) was brought to the montage {montage(chain)}, resampled to "
        f"{plain(chain.sampling_rate)} Hz, filtered causally from {plain(chain.low)} to "
        f"{plain(chain.high)} Hz (Butterworth, order {chain.order}){notch}, {scaling}{squeezed}, and cut "
        f"into windows of {plain(windows.length)} s every {plain(windows.hop)} s.{_MISSING[chain.missing]} "
        f"A window counts as seizure where at least {percent(windows.label_share)} of it lies inside "
        f"a labelled seizure, and speaks for its last {plain(windows.hop)} s."
    )


def network(settings: RunSettings, parameters: int) -> str:
    """What was trained, and how long. `parameters`: of the whole network."""
    network, training = settings.network, settings.training
    if network.own:
        what = f"A network of the user’s own ({network.name}; {count(parameters)} parameters)"
    else:
        what = (
            f"{_NETWORKS[network.name]}; {_numbers(network.widths)} kernels of "
            f"{_numbers(network.kernel_sizes)} samples, pooling by {_numbers(network.pooling)}, dropout "
            f"{plain(network.dropout)}; {count(parameters)} parameters)"
        )
    first = min(training.least_epochs, training.epochs)
    edges = "; windows across a seizure’s edge were not learnt from"
    return (
        f"{what} was trained with Adam on cross-entropy (learning rate {plain(training.learning_rate)}, "
        f"weight decay {plain(training.weight_decay)}, batches of {training.batch_size}, at most "
        f"{plural(training.epochs, 'epoch')}, seed {settings.seed}) and stopped early "
        f"on the validation subjects’ macro-F1 (from epoch {first} on, patience "
        f"{plural(training.patience, 'epoch')}, least improvement {plain(training.min_improvement)})"
        f"{edges if settings.windows.leave_out_edges else ''}."
    )


def kernels_of(pruning: Pruning) -> str:
    """Of which kernels the ratios that were asked for and achieved are shares."""
    return "kernels that can go" if pruning.held else "kernels"


def cutting(pruning: PruningSettings) -> str:
    """Which kernels were removed, in how many steps, and what came after."""
    where = _ALLOCATION[pruning.allocation].format(cost=_COSTS[pruning.cost_in])
    steps = "" if pruning.steps == 1 else f" in {pruning.steps} steps, retrained after each"
    rounded = ""
    if pruning.round_to > 1:
        rounded = f" (what stays of a layer is a multiple of {pruning.round_to})"
    after = _RETRAINING[pruning.retrain].format(epoch=pruning.rewind_to)
    return (
        f"{where} the kernels with {_IMPORTANCE[pruning.importance]} were removed{steps}{rounded}; the "
        f"smaller network {after}."
    )


def threshold(settings: RunSettings) -> str:
    """How thresholds were chosen; the sentence is left open."""
    rule = settings.threshold
    if rule.fixed is not None:
        return f"Each model’s threshold is {plain(rule.fixed)}, chosen by nothing"
    expected = rule.prevalence_expected
    at = "" if expected is None else f", weighed to {percent(expected, 1)} ictal windows"
    part = (
        f", moved {percent(rule.shrinkage)} of the way (in log odds) towards the one that a calibrated "
        "network would have at this share of ictal windows"
        if rule.shrinkage
        else ""
    )
    moved = (
        ", then the one by which the chosen event rules find most there with no more false alarms"
        if settings.post_processing.choose == "froc"
        else ""
    )
    return (
        "Each model’s threshold is the one with the largest macro-F1 on the validation side"
        f"{at}{part}{moved}"
    )


def event_rules(rules: Rules) -> str:
    """One model's way from probabilities to events."""
    parts = []
    if rules.smoothing:
        parts.append(f"probabilities averaged over {plain(rules.smoothing)} s")
    if rules.release is not None:
        parts.append(f"an event goes on down to {number(rules.release)}")
    parts.append(f"gaps of up to {plain(rules.merge_gap)} s closed")
    parts.append(f"events shorter than {plain(rules.shortest)} s dropped")
    if rules.refractory:
        parts.append(f"none for {plain(rules.refractory)} s after an event")
    return ", ".join(parts) + f" ({_chosen_by(rules)})"


def _chosen_by(rules: Rules) -> str:
    if rules.criterion == "fixed":
        return "fixed beforehand"
    if rules.criterion == "FROC":
        return (
            f"with its threshold chosen among {rules.tried} by the area under the FROC curve on "
            "validation, up "
            f"to as many false alarms as the plain ones raise there: {number(rules.score)} against "
            f"{number(rules.plain_score)} by the plain ones"
        )
    if rules.score == rules.plain_score:
        return (
            f"the plain ones: of {rules.tried} sets of rules compared by {rules.criterion} none was better "
            "for each validation subject"
        )
    return (
        f"chosen among {rules.tried} by {rules.criterion} on validation, {number(rules.score)} "
        f"against {number(rules.plain_score)} by the plain ones"
    )


def events(result: Heading) -> str:
    """From probabilities to events to scores."""
    rules = result.models["pruned"].post_processing
    assert rules is not None  # a network
    each = "" if rules.criterion == "fixed" else "; every model has rules of its own, chosen alike"
    return (
        "For events, neighbouring windows at or above the threshold were joined; the pruned network’s "
        f"rules: {event_rules(rules)}{each}. Events were scored with timescoring "
        f"{result.versions.timescoring}."
    )


def training(training: TrainingSettings, channels: int) -> str:
    """What each of its epochs shows, what is changed in it, and which weights are kept. `channels`: of the
    windows.
    """
    weights = training.class_weights
    weighting = weights if isinstance(weights, str) else _numbers(weights)
    if training.background_per_epoch is not None:
        drawn = (
            f"all ictal windows and {count(training.background_per_epoch)} background ones drawn "
            f"afresh (class weights: {weighting})"
        )
    elif training.draw == "balanced":
        drawn = (
            f"{count(training.windows_per_epoch)} windows drawn so that classes, and subjects within "
            "a class, come up alike"
        )
    else:
        drawn = f"every training window once (class weights: {weighting})"
    rules = training.augmentation
    most = min(rules.drop_channels, channels - 1)
    changes = [
        (rules.gain > 1, f"amplitude scaled by up to {plain(rules.gain)} either way"),
        (
            most > 0 and rules.drop_probability > 0,
            f"up to {most} channels silenced in {percent(rules.drop_probability)} of the windows",
        ),
        (rules.permute_channels and channels > 1, "channels put into random order"),
        (rules.mirror, "left and right swapped in half of the windows"),
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


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(plain(value) for value in values)
