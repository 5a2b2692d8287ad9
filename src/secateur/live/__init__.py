"""Detection at the bedside: sources of signal, beds that judge it, sinks that alarms go to."""
