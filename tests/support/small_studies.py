"""A study of four small runs that is really done, for the tests of how runs are done."""

from __future__ import annotations

SMALL_STUDY = """
question = "Does anything survive?"
[axes]
ratio = [0.5, 0.75]
seed = [1, 2]
[fixed]
epochs = 1
least-epochs = 1
[settings.network]
widths = [4, 6, 8]
[settings.training]
windows_per_epoch = 160
recalibration = 2
[[compare]]
axis = "ratio"
to = "baseline"
"""
