"""Public data sets, downloaded so that the folder can be trusted: resumed, checked, complete or not at all.

Needs the extra `fetch` (requests) when it runs, not when it is imported.
"""

from secateur.recordings.fetching.job import Fetched, Listener, fetch
from secateur.recordings.fetching.sources import DATASETS, Dataset

__all__ = ["DATASETS", "Dataset", "Fetched", "Listener", "fetch"]
