"""Where jobs are done: `here`, in processes of this machine (joblib), or on a `cluster` of many (Ray).

Comes in: jobs, and a function that does one. Goes out: what it made of each, as they finish. Next:
`studies.engine` hands out its runs. What a job is, nobody here knows.
"""
