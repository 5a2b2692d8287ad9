"""Explanations in a study's report: what they cost, whether that eats what pruning gained, and whether pruned
networks give the reasons of whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from secateur.counts import plural
from secateur.reporting import study_explaining_figures as figures
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Paragraph,
    Part,
    Picture,
    Subheading,
    Table,
    bounds,
    count,
    large,
    number,
    percent,
    signed,
)

if TYPE_CHECKING:
    from secateur.studies import (
        Agreement,
        Balance,
        Estimate,
        Explaining,
        Faithfulness,
        MethodPrice,
        Middle,
        Reasons,
    )

CLOCKS = (
    "Networks and methods took turns on one thread. Multiples are of processor time, taken within each run "
    "between neighbours in time: median over runs, in brackets their quartiles. Milliseconds are this "
    "machine’s, which was busy with other things."
)
INFERENCE = "inference"


def explaining_parts(explaining: Explaining) -> list[Part]:
    """What a study's report tells of explanations."""
    return [
        Part("explaining-costs", "What explanations cost", list(_costs(explaining))),
        Part("explaining-balance", "Is the gain eaten?", list(_balance(explaining))),
        Part(
            "explaining-reasons",
            "Do pruned and whole networks give the same reasons?",
            list(_reasons(explaining)),
        ),
    ]


def explaining_answers(explaining: Explaining) -> list[str]:
    """What can be concluded, in sentences made from the tables."""
    return [*_eaten(explaining), *_alike(explaining)]


def _costs(explaining: Explaining) -> Iterator[Block]:
    yield Paragraph(CLOCKS)
    yield Picture(
        "costs",
        figures.costs(explaining),
        "Processor time of each method for one window, by network, beside one inference of the whole network "
        "and a hop of its shared pass; the tables below have the numbers",
        "Processor time for one window, by method and network. Lines: the whole network unexplained, a "
        "window by itself, and a hop of the shared pass over a recording. What lies left of a line can be "
        "had for every window at that price.",
    )
    yield _by_method(
        explaining,
        "multiples",
        "Processor time as multiples of one inference of the same network.",
        lambda price: _middle(price.of_own),
    )
    yield _by_method(
        explaining,
        "macs",
        "Multiply-accumulates as multiples of one inference of the same network, and how many they are; of "
        "the network alone, without filters of bands.",
        lambda price: Cell(times(price.macs_of_own), large(price.macs)),
        inference=True,
    )
    yield _by_method(
        explaining,
        "processor",
        "Processor time of one window, milliseconds; in brackets the 99th percentile.",
        lambda price: Cell(_ms(price.milliseconds.median), f"[{_ms(price.p99)}]"),
        inference=True,
    )
    yield _by_method(
        explaining,
        "latency",
        "Time that went by, milliseconds; in brackets the 99th percentile. On a busy machine it is no "
        "measure of a method.",
        lambda price: Cell(_ms(price.elapsed), f"[{_ms(price.elapsed_p99)}]"),
        inference=True,
    )
    yield Table(
        "hops",
        "A hop of the shared pass over a recording, the network alone.",
        ["Network", "Runs", "Processor ms", "Multiply-accumulates"],
        [
            [price.name, str(price.runs), _middle(price.hop, _ms), large(price.macs_a_hop)]
            for price in explaining.prices
        ],
    )
    if any(price.peak_bytes for net in explaining.prices for price in net.methods.values()):
        yield _by_method(
            explaining,
            "memory",
            "Memory at its largest, MB, of a process that opens the file and explains one window, bands too: "
            "the interpreter and the runtime are most of it.",
            lambda price: Cell(number(_megabytes(price.peak_bytes), 1)),
            inference=True,
        )
    yield from _energy(explaining)


def _energy(explaining: Explaining) -> Iterator[Block]:
    if explaining.meters:
        yield Paragraph(f"Energy was measured by {' and '.join(explaining.meters)}.")
        for index, meter in enumerate(explaining.meters, 1):
            yield _by_method(
                explaining,
                f"joules-{index}",
                f"Energy of one window by {meter}, millijoules above what it counts where nothing is done; "
                "in brackets all that it counted.",
                partial(_joules, meter),
                inference=True,
            )
    else:
        yield Paragraph(
            "Energy: not measured. No meter could be read here (RAPL through powercap, NVML)."
        )
    yield _by_method(
        explaining,
        "joules-model",
        f"Energy of one window by a model, microjoules: {explaining.model}. An order of magnitude for any "
        "one processor; ratios say more.",
        lambda price: Cell(_three(1e6 * price.model)),
        inference=True,
    )


def _joules(meter: str, price: MethodPrice) -> Cell:
    if meter not in price.measured:
        return Cell("not measured")
    busy, idle = price.measured[meter]
    return Cell(_three(1e3 * (busy - idle)), f"[{_three(1e3 * busy)}]")


def _by_method(
    explaining: Explaining,
    name: str,
    caption: str,
    cell: Callable[[MethodPrice], Cell],
    *,
    inference: bool = False,
) -> Table:
    """A row a method, a column a network. `inference`: the network by itself too."""
    methods = (*([INFERENCE] if inference else []), *explaining.methods)
    rows = [
        [
            Cell(method),
            *(
                cell(price.methods[method]) if method in price.methods else Cell(UNDEFINED)
                for price in explaining.prices
            ),
        ]
        for method in methods
    ]
    heads = ["Method", *(price.name for price in explaining.prices)]
    return Table(f"explaining-{name}", caption, heads, rows)


def _balance(explaining: Explaining) -> Iterator[Block]:
    rates = []
    for data, by_name in explaining.alarms.items():
        each = ", ".join(f"{name} {number(rate, 0)}" for name, rate in by_name.items())
        rates.append(f"{data} ({explaining.backgrounds[data]}): {each}")
    yield Paragraph(
        "All costs here are multiples of what the whole network costs unexplained, in processor time. What "
        "can be explained: the share of windows, chosen once they are called, until the pruned network and "
        "its explanations cost as much. Every window: at once with the inference where the method gives "
        "both. Alarms alone: a minute’s windows of each, at the rate a day that was measured "
        f"({'; '.join(rates) or 'it was not'}). A rate on what follows a seizure is no estimate of a ward’s."
    )
    for bulk in (False, True):
        names = dict.fromkeys(balance.network for balance in explaining.balances)
        some = [
            balance
            for name in names
            for balance in _ordered(
                [b for b in explaining.balances if b.bulk == bulk and b.network == name], explaining
            )
        ]
        against = "a hop of the shared pass" if bulk else "one window by itself"
        yield Subheading(f"Against {against}")
        yield _balance_table(some, against, "hop" if bulk else "window")


def _balance_table(balances: list[Balance], against: str, name: str) -> Table:
    sets = list(dict.fromkeys(data for balance in balances for data in balance.alarms))
    head = [
        "Network, method",
        "Unexplained",
        "Can be explained",
        "by multiply-accumulates",
        "by modelled energy",
        "Every window",
        *(f"Alarms alone, {data}" for data in sets),
        "Whole, seconds a day",
        "Pruned",
        "Pruned, every window explained",
    ]
    rows = [
        [
            Cell(f"{balance.network}, {balance.method}"),
            Cell(times(balance.unexplained.median)),
            Cell(_share(balance.share.median), _share_bounds(balance.share)),
            Cell(_share(balance.macs_share)),
            Cell(UNDEFINED if balance.energy_share is None else _share(balance.energy_share)),
            Cell(times(balance.every.median), "eaten" if balance.eaten else "not eaten"),
            *(_alarms(balance, data) for data in sets),
            *(Cell(_three(seconds)) for seconds in balance.seconds),
        ]
        for balance in balances
    ]
    caption = (
        f"Pruned and explained beside the whole network unexplained, against {against}. Seconds are of the "
        "processor, a day."
    )
    return Table(f"balance-{name}", caption, head, rows)


def _alarms(balance: Balance, data: str) -> Cell:
    """As a multiple, and in seconds a day."""
    multiple = balance.alarms.get(data)
    if multiple is None:
        return Cell(UNDEFINED)
    return Cell(times(multiple), f"{_three(multiple * balance.seconds[0])} s")


def _eaten(explaining: Explaining) -> list[str]:
    """Whether explanations eat the gain: for each pruned network, alone and in bulk."""
    sentences = []
    for bulk in (False, True):
        against = "a hop of the shared pass" if bulk else "one window by itself"
        for name in dict.fromkeys(balance.network for balance in explaining.balances):
            some = _ordered(
                [b for b in explaining.balances if b.network == name and b.bulk == bulk], explaining
            )
            shares = ", ".join(f"{b.method} {_share(b.share.median)}" for b in some)
            words = [
                f"{name}, against {against}: unexplained it costs {times(some[0].unexplained.median)} the "
                "whole network.",
                "With every window explained the gain is "
                f"{_split([(b.method, b.every.median) for b in some])}.",
                f"Before it is, so many windows can be explained: {shares}.",
            ]
            for data in dict.fromkeys(data for b in some for data in b.alarms):
                costs = [(b.method, b.alarms[data]) for b in some if data in b.alarms]
                words.append(
                    f"With alarms alone explained, as many as on {data}, it is {_split(costs)}."
                )
            sentences.append(" ".join(words))
    return sentences


def _ordered(balances: list[Balance], explaining: Explaining) -> list[Balance]:
    """By the methods' price, the cheapest first."""
    return sorted(balances, key=lambda balance: explaining.methods.index(balance.method))


def _split(costs: list[tuple[str, float]]) -> str:
    """By which methods the gain is eaten, and by which it is not."""
    kept = [f"{method} ({times(cost)})" for method, cost in costs if cost <= 1]
    eaten = [f"{method} ({times(cost)})" for method, cost in costs if cost > 1]
    words = [f"not eaten by {', '.join(kept)}"] if kept else []
    words += [f"eaten by {', '.join(eaten)}"] if eaten else []
    return "; ".join(words)


def _reasons(explaining: Explaining) -> Iterator[Block]:
    yield Paragraph(
        "Attributions by channel of the same seizures, of people whom no network has seen: true ones, so "
        "that they are the same for every network, with background in the same recording. Agreement is with "
        "the whole network of the same fold and seed. It says something only beside that of two whole "
        "networks of different seeds. Means over subjects with 95 % intervals, bootstrap over subjects, who "
        "are few."
    )
    for reasons in explaining.reasons:
        yield Subheading(f"{reasons.data}: {_material(reasons)}")
        yield Picture(
            f"agreement-{_anchor(reasons.data)}",
            figures.agreement(reasons),
            f"Agreement with the whole network by method on {reasons.data}; the tables have the numbers",
            f"{reasons.data}: rank correlation over channels, and the share of the five channels named first "
            "that are the same. Dotted: what chance gives.",
        )
        yield from _agreement_tables(reasons)
        yield from _faithfulness_tables(reasons)
    if explaining.notes:
        yield Paragraph(f"Left out: {'; '.join(explaining.notes)}.")


def _material(reasons: Reasons) -> str:
    return (
        f"{plural(reasons.seizures, 'seizure')} of {plural(reasons.subjects, 'subject')}, "
        f"{plural(reasons.channels, 'channel')}"
    )


def _anchor(data: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in data.lower())


def _agreement_tables(reasons: Reasons) -> Iterator[Table]:
    anchor, chance = _anchor(reasons.data), min(1.0, 5 / max(1, reasons.channels))
    methods = _methods_of(reasons.agreement.values())
    kinds: tuple[tuple[str, str, Callable[[Agreement, str], Estimate | None], bool], ...] = (
        ("rank", "rank correlation of channels", lambda each, m: each.rank.get(m), False),
        (
            "top",
            f"share of the five channels named first that are the same ({percent(chance)} by chance)",
            lambda each, m: each.top.get(m),
            False,
        ),
        (
            "less",
            "rank correlation minus that of two whole networks of different seeds, seizure by seizure",
            lambda each, m: each.less.get(m),
            True,
        ),
    )
    for name, words, read, sign in kinds:
        rows = [
            [Cell(network), *(_estimate(read(each, method), sign=sign) for method in methods)]
            for network, each in reasons.agreement.items()
        ]
        if all(read(each, m) is None for each in reasons.agreement.values() for m in methods):
            continue
        yield Table(
            f"{name}-{anchor}",
            f"{reasons.data}: agreement with the whole network, {words}.",
            ["Network", *methods],
            rows,
        )


def _faithfulness_tables(reasons: Reasons) -> Iterator[Table]:
    methods = _methods_of(reasons.faithfulness.values())
    kinds: tuple[tuple[str, str, Callable[[Faithfulness, str], tuple[Estimate, Estimate]]], ...] = (
        ("deletion", "falls while seconds of channels go", lambda each, m: each.deletion[m]),
        ("insertion", "rises while they come", lambda each, m: each.insertion[m]),
    )
    for name, words, read in kinds:
        rows = [
            [
                Cell(network),
                Cell(number(each.margin, 2)),
                *(
                    _estimate(read(each, method)[side], 2, sign=True)
                    for method in methods
                    for side in (0, 1)
                ),
            ]
            for network, each in reasons.faithfulness.items()
        ]
        yield Table(
            f"{name}-{_anchor(reasons.data)}",
            f"{reasons.data}: how much farther the margin {words} in a method’s order than in a random one, "
            "and than in that of plain amplitude; logits. Explained: the mean margin over background’s.",
            [
                "Network",
                "Explained",
                *(head for method in methods for head in (f"{method}, beyond chance", "amplitude")),
            ],
            rows,
        )


def _methods_of(each: Iterable[Agreement | Faithfulness]) -> list[str]:
    """Methods in order, of any network."""
    methods: dict[str, None] = {}
    for network in each:
        methods |= dict.fromkeys(network.methods)
    return list(methods)


def _alike(explaining: Explaining) -> list[str]:
    """Whether pruned networks agree with whole ones as two whole ones do, by the default method."""
    sentences = []
    for reasons in explaining.reasons:
        control = reasons.agreement.get(reasons.control)
        for name, each in reasons.agreement.items():
            method = next(iter(each.rank), None)
            if method is None or name == reasons.control:
                continue
            words = (
                f"{reasons.data}, {name}: by {method} its channels correlate with those of the whole network "
                f"by {_words(each.rank[method])}, and {percent(each.top[method].value)} of the five named "
                "first are the same"
            )
            less = each.less.get(method)
            if control is None or less is None:
                sentences.append(f"{words}; there is no second seed to compare that with.")
                continue
            sentences.append(
                f"{words}; two whole networks of different seeds correlate by "
                f"{_words(control.rank[method])}. {_verdict(less)}"
            )
    return sentences


def _verdict(less: Estimate) -> str:
    difference = f"The difference is {signed(less.value, 2)}"
    if less.interval is None:
        return f"{difference}, of too few subjects for an interval."
    low, high = less.interval
    interval = f" {bounds((low, high), 2, sign=True)}"
    if low > 0:
        return f"{difference}{interval}: more alike than two trainings."
    if high < 0:
        return f"{difference}{interval}: less alike than two trainings."
    return f"{difference}{interval}: neither more nor less alike is shown."


def _words(estimate: Estimate) -> str:
    interval = "" if estimate.interval is None else f" {bounds(estimate.interval, 2, sign=False)}"
    return f"{number(estimate.value, 2)}{interval}"


def _estimate(estimate: Estimate | None, digits: int = 2, *, sign: bool = False) -> Cell:
    if estimate is None:
        return Cell(UNDEFINED)
    middle = signed(estimate.value, digits) if sign else number(estimate.value, digits)
    return Cell(
        middle, "" if estimate.interval is None else bounds(estimate.interval, digits, sign=sign)
    )


def times(value: float) -> str:
    """A multiple: 0.41×, 2.0×, 108×."""
    return f"{_three(value)}×"


def _three(value: float) -> str:
    """About three figures."""
    if abs(value) >= 100:
        return count(value)
    return number(value, 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4)


def _ms(value: float) -> str:
    return number(value, 3) if value < 10 else number(value, 1)


def _middle(middle: Middle, write: Callable[[float], str] = times) -> Cell:
    return Cell(write(middle.median), f"[{write(middle.low)}, {write(middle.high)}]")


def _share(value: float) -> str:
    """A share of windows."""
    if value >= 1:
        return "all"
    if value <= 0:
        return "none"
    return percent(value, 0 if value >= 0.1 else 1 if value >= 0.01 else 2)


def _share_bounds(middle: Middle) -> str:
    return f"[{_share(middle.low)}, {_share(middle.high)}]"


def _megabytes(value: float | None) -> float | None:
    return None if value is None else value / 1e6
