"""From microvolts to labelled windows: the signal chain, slicing, splits, the cache."""

from secateur.windows.cache import Cache, cache_folder
from secateur.windows.chain import ChainRun, SignalChain
from secateur.windows.prepared import Prepared, WindowSet, fit_scale, prepare
from secateur.windows.scaling import Scale
from secateur.windows.settings import ChainSettings, Settings, SplitSettings, WindowSettings
from secateur.windows.slicing import spoken_for, window_samples, window_starts
from secateur.windows.splits import SIDES, Split, check_contents, split_by_subject

__all__ = [
    "SIDES",
    "Cache",
    "ChainRun",
    "ChainSettings",
    "Prepared",
    "Scale",
    "Settings",
    "SignalChain",
    "Split",
    "SplitSettings",
    "WindowSet",
    "WindowSettings",
    "cache_folder",
    "check_contents",
    "fit_scale",
    "prepare",
    "split_by_subject",
    "spoken_for",
    "window_samples",
    "window_starts",
]
