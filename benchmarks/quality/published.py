"""What two published figures, an accuracy and a macro-F1, say of what they were measured on.

    python -m benchmarks.quality.published

Prints what docs/explanation/differences-from-the-paper.md works out from arXiv 2509.05190's figures.
"""

from __future__ import annotations

PUBLISHED = {"accuracy": (0.9278, 0.9287), "macro_f1": (0.8686, 0.8707)}
"""What the paper tells of one run: whole and pruned."""


def main() -> None:
    accuracy, macro_f1 = PUBLISHED["accuracy"][0], PUBLISHED["macro_f1"][0]
    f1, least, most = implied_prevalence(accuracy, macro_f1)
    print(
        f"accuracy {accuracy}, macro-F1 {macro_f1}: F1 of seizures {f1:.2f}, share of seizure windows "
        f"{100 * least:.1f} to {100 * most:.1f} %"
    )


def implied_prevalence(accuracy: float, macro_f1: float) -> tuple[float, float, float]:
    """What an accuracy and a macro-F1 say of the rest: seizure F1, least and greatest prevalence.

    With e = 1 − accuracy = fp + fn as shares of all windows, F1 of seizures is 2tp / (2tp + e) and of
    background 2tn / (2tn + e), tp + tn = accuracy; their mean is macro-F1. That fixes tp; prevalence is
    tp + fn with fn between 0 and e.
    """
    error = 1 - accuracy
    low, high = 0.0, accuracy / 2  # seizures are the rarer class
    for _ in range(100):
        tp = (low + high) / 2
        tn = accuracy - tp
        mean = tp / (2 * tp + error) + tn / (2 * tn + error)
        low, high = (tp, high) if mean < macro_f1 else (low, tp)
    return 2 * tp / (2 * tp + error), tp, tp + error


if __name__ == "__main__":
    main()
