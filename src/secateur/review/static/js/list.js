/** The list of events: a table, in order of time or of confidence. */
import { choose, inOrder, nameOf } from "./acts.js";
import { count, duration } from "./format.js";

export function createList(store, table, summary, complaint) {
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("th[data-sort]")];

  function render() {
    const { values } = store;
    if (!values.info) return;
    const focused = document.activeElement?.closest?.("tr")?.dataset.event;
    body.replaceChildren(...inOrder(values).map((event) => row(store, event)));
    if (focused) body.querySelector(`[data-event="${CSS.escape(focused)}"] button`)?.focus();
    for (const head of heads) {
      const sorted = head.dataset.sort === values.sort;
      head.setAttribute("aria-sort", !sorted ? "none" : values.sort === "time" ? "ascending" : "descending");
    }
    const events = values.events?.events ?? [];
    const problem = values.events?.problem ?? "";
    complaint.hidden = !problem;
    complaint.textContent = problem ? `No events: ${problem}` : "";
    const open = events.filter(({ verdict }) => verdict === "open").length;
    summary.textContent = events.length ? `${count(events.length, "event")}, ${open} open` : problem ? "" : "none so far";
    mark();
  }

  function mark() {
    for (const each of body.rows) {
      const current = each.dataset.event === store.values.chosen;
      each.classList.toggle("chosen", current);
      const button = each.querySelector("button");
      if (current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (current) each.scrollIntoView({ block: "nearest" });
    }
  }

  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => store.set({ sort: head.dataset.sort }));
  }
  body.addEventListener("click", (event) => {
    const id = event.target.closest("tr")?.dataset.event;
    if (id) choose(store, id);
  });
  body.addEventListener("keydown", (event) => {
    const direction = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = direction && event.target.closest("tr")?.[direction];
    if (!next) return;
    event.preventDefault();
    next.querySelector("button").focus();
  });
  store.on(["events", "sort", "info"], render);
  store.on(["chosen"], mark);
}

function row(store, event) {
  const line = document.createElement("tr");
  line.dataset.event = event.id;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = nameOf(store, event);
  const head = document.createElement("th");
  head.scope = "row";
  head.append(button);
  const confidence = event.confidence == null ? "–" : event.confidence.toFixed(2);
  line.append(head, cell(duration(event.duration)), cell(confidence), verdict(event));
  return line;
}

function cell(text) {
  const element = document.createElement("td");
  element.textContent = text;
  return element;
}

function verdict(event) {
  const element = cell("");
  const mark = document.createElement("span");
  mark.className = `verdict ${event.verdict}`;
  mark.textContent = event.verdict;
  element.className = "words";
  element.append(mark);
  if (event.comment) {
    const note = document.createElement("span");
    note.className = "commented";
    note.title = event.comment;
    note.textContent = "¶";
    note.setAttribute("role", "img");
    note.setAttribute("aria-label", "has a comment");
    element.append(" ", note);
  }
  return element;
}
