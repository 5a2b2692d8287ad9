"""The network in a detector's file: read strictly, measured before it runs, cut in two, run."""
