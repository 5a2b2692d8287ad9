"""Public data sets, downloaded so that the folder can be trusted: resumed, checked, whole or not at all.

Comes in: a data set's name, a folder, cases. Goes out: the files that `load_cohort` needs. Next:
`secateur fetch`. Needs the extra `fetch` (pooch, requests) when it runs, not when it is imported.
"""

from secateur.recordings.fetching.job import Fetched, Listener, fetch
from secateur.recordings.fetching.sources import DATASETS, Dataset

__all__ = ["DATASETS", "Dataset", "Fetched", "Listener", "fetch"]
