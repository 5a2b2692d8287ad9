"""Where jobs are done: `here`, in processes of this machine (joblib), or on a `cluster` of many (Ray).

Comes in: jobs, and a function that does one. Goes out: what it made of each, as they finish. Next:
`studies.grid.engine` hands out its runs. What a job is, nobody here knows.
"""

from collections.abc import Sequence

TRIES = 3
"""How often a job may take its worker down before it is given up."""


def given_up(deaths: Sequence[str]) -> str:
    """Why a job is given up, in one line. `deaths`: how each of its workers ended."""
    told = ", ".join(sorted(set(deaths)))
    return (
        f"its worker died {len(deaths)} times ({told}); "
        "if memory ran out, take fewer workers, and then --retry"
    )
