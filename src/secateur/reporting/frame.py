"""What every report begins and ends with: title, warnings, disclaimers; data, settings, provenance.

Comes in: what result.json holds, of a run or of a ladder. Goes out: HTML. Next: `sections` and
`ladder_sections` put their own parts between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from secateur.reporting.html import Cell, Markup, Section, Table, bullets, folded, join, tag
from secateur.reporting.html import paragraph as p
from secateur.reporting.splits import divided, prevalence
from secateur.reporting.style import count, number, percent, plural

Told = dict[str, Any]

DISCLAIMER = "Research software, not a medical device"
SIMULATED = (
    "All recordings are simulated: no patient was recorded, and nothing here says how a detector "
    "does on patients."
)


def heading(told: Told, title: str, lead: str) -> Markup:
    """Title of a run or ladder, what the reader must know before anything else, and every warning."""
    return front(
        f"Secateur report · run {told['run']}",
        title,
        lead,
        told["warnings"],
        told["data"]["simulated"],
    )


def front(eyebrow: str, title: str, lead: str, warnings: Sequence[str], simulated: bool) -> Markup:
    """The top of a page."""
    badges = [tag("li", f"{DISCLAIMER}")]
    banner = Markup("")
    if simulated:
        badges.insert(0, tag("li", "Simulated data", class_="simulated"))
        banner = tag("p", SIMULATED, class_="banner", role="note")
    if warnings:
        head = f"{plural(len(warnings), 'warning')} to read first"
        told = join([tag("h2", head), bullets(warnings)])
    else:
        told = join([tag("h2", "No warning applies")])
    return tag(
        "header",
        tag("p", eyebrow, class_="eyebrow"),
        tag("h1", title),
        tag("p", lead, class_="lead"),
        tag("ul", *badges, class_="badges"),
        banner,
        tag("aside", told, class_="warnings", aria_label="Warnings"),
    )


def footer(told: Told) -> Markup:
    """Disclaimers, and where the numbers of a run or ladder come from."""
    source = f"Made by secateur {told['secateur']}; every number comes from the run’s result.json."
    return back(told["data"]["simulated"], source)


def back(simulated: bool, source: str) -> Markup:
    """The bottom of a page."""
    word = f"{SIMULATED} " if simulated else ""
    return tag(
        "footer", f"{word}{DISCLAIMER}: not for diagnosis, monitoring or treatment. {source}"
    )


def page_title(told: Told) -> str:
    """What the browser's tab says."""
    word = " (simulated)" if told["data"]["simulated"] else ""
    return f"{told['data']['name']}{word}: Secateur report"


def data_word(told: Told) -> str:
    """Stands before captions where the data are simulated."""
    return "Simulated data. " if told["data"]["simulated"] else ""


def tile(name: str, value: str, detail: str) -> Markup:
    """One number in large."""
    return tag("li", tag("span", name, class_="name"), tag("strong", value), detail)


def data(told: Told, sides: Sequence[Table]) -> Section:
    """The recordings, who stands where (`sides`), and what was left out or put right."""
    about = told["data"]
    rows: list[list[Cell]] = [
        ["Data set", about["name"]],
        ["Simulated", "yes" if about["simulated"] else "no"],
        ["Read as", f"{about['layout']} folder"],
        ["Subjects", "not known" if about["subjects"] is None else count(about["subjects"])],
        ["Recordings", count(about["recordings"])],
        ["Seizures", count(about["seizures"])],
        ["Recorded", f"{number(about['hours'], 2)} h"],
        ["In seizures", f"{number(about['ictal_hours'], 2)} h ({percent(about['prevalence'], 1)})"],
        ["Background", f"{number(about['background_hours'], 2)} h; {about['background']}"],
        ["Ictal windows", prevalence(told["split"])],
        ["Divided", divided(told["split"])],
        *(["Assumed", note] for note in (*about["notes"], *told["split"]["notes"])),
    ]
    recordings = Table("The recordings that were used.", ("What", "Value"), rows, words=(1,)).html()
    problems = [
        Markup(tag("strong", one["recording"]) + ": " + tag("span", one["reason"]))
        for one in told["problems"]
    ]
    notes = [
        join(
            [
                p(one["note"]),
                folded(plural(len(one["recordings"]), "recording"), bullets(one["recordings"])),
            ]
        )
        for one in told["notes"]
    ]
    body = join(
        [
            tag("div", recordings, class_="prose"),
            *(one.html() for one in sides),
            tag("h3", "Recordings left out"),
            bullets(problems) if problems else p("No recording had to be left out."),
            tag("h3", "What was put right"),
            *(notes or [p("Nothing had to be: every recording was used as it is.")]),
        ]
    )
    return Section("data", "Data and split", body)


def again(told: Told, settings: str) -> Section:
    """How to make it once more. `settings`: config.toml."""
    body = join(
        [
            p("The command that makes this run again:"),
            tag("pre", tag("code", told["command"]), tabindex="0"),
            p(
                f"Run {told['run']}, seed {told['seed']}, secateur {told['secateur']}, timescoring "
                f"{told['timescoring']}. The same settings and recordings on the same machine give the "
                "same numbers, but for latency."
            ),
            folded("All settings (config.toml)", tag("pre", tag("code", settings))),
        ]
    )
    return Section("again", "Settings, and how to make it again", body)
