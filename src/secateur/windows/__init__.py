"""From microvolts to labelled windows: the signal chain, the cache, labels, splits."""

from secateur.windows.cache import Cache
from secateur.windows.chain import SignalChain, Tap, TooSlow
from secateur.windows.prepared import (
    Prepared,
    WindowIndex,
    WindowSet,
    channel_of,
    fit_scale,
    index_windows,
    label_windows,
    prepare,
    with_channels,
)
from secateur.windows.scaling import Scale
from secateur.windows.settings import (
    ChainSettings,
    FrozenFold,
    SplitSettings,
    WindowSettings,
    decision_interval,
    probability_of,
    window_samples,
    window_starts,
)
from secateur.windows.splits import (
    ALL_SIDES,
    Split,
    check_contents,
    split_by_recording,
    split_by_subject,
    split_windows,
    subsample,
)

__all__ = [
    "ALL_SIDES",
    "Cache",
    "ChainSettings",
    "FrozenFold",
    "Prepared",
    "Scale",
    "SignalChain",
    "Split",
    "SplitSettings",
    "Tap",
    "TooSlow",
    "WindowIndex",
    "WindowSet",
    "WindowSettings",
    "channel_of",
    "check_contents",
    "decision_interval",
    "fit_scale",
    "index_windows",
    "label_windows",
    "prepare",
    "probability_of",
    "split_by_recording",
    "split_by_subject",
    "split_windows",
    "subsample",
    "window_samples",
    "window_starts",
    "with_channels",
]
