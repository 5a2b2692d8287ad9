"""Whether a detector still fits a patient: sketches of hours, faults by rules, drift from the first days."""
