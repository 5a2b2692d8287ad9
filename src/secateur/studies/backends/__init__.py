"""Where jobs are done: `local`, in processes of this machine (joblib), or on a `cluster` of many (Ray)."""
