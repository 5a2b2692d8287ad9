/** The chosen event: its times, comment and channels, each of which can be changed. */
import { actOnChosen, changeChosen } from "./acts.js";
import { clock, duration, parseClock } from "./format.js";
import { chosenEvent, chosenSpan } from "./view.js";
import { say } from "./saying.js";

export function createChosen(store, root) {
  const part = (id) => root.querySelector(`#${id}`);
  const [begin, end, comment] = [part("begin"), part("end"), part("comment")];

  function render() {
    const event = chosenEvent(store.values);
    root.hidden = !event;
    if (!event || !store.values.info) return;
    const { start } = store.values.info;
    const span = chosenSpan(store.values);
    part("chosen-title").textContent = `Event at ${clock(event.onset, start)}`;
    part("chosen-facts").textContent = facts(event, span, start);
    for (const [input, seconds] of [[begin, span.onset], [end, span.onset + span.duration]]) {
      if (document.activeElement !== input) input.value = clock(seconds, start, 2);
    }
    if (document.activeElement !== comment) comment.value = event.comment ?? "";
  }

  function retime() {
    const span = chosenSpan(store.values);
    const { info } = store.values;
    const [from, to] = [begin, end].map((input) => parseClock(input.value, info.start));
    if (from === null || to === null || !(from < to) || to > info.duration + 0.01) {
      say(`Begin and end are times of this recording as hh:mm:ss.ss, the begin before the end; ${begin.value} to ${end.value} isn't`);
      begin.value = clock(span.onset, info.start, 2);
      end.value = clock(span.onset + span.duration, info.start, 2);
      return;
    }
    const near = (a, b) => Math.abs(a - b) < 0.006;
    const onset = near(from, span.onset) ? span.onset : from;
    const last = near(to, span.onset + span.duration) ? span.onset + span.duration : to;
    if (onset === span.onset && last === span.onset + span.duration) return;
    changeChosen(store, { onset, duration: Math.round((last - onset) * 1000) / 1000 });
  }

  for (const input of [begin, end]) {
    input.addEventListener("change", retime);
    input.addEventListener("keydown", (event) => event.key === "Escape" && restore(input));
    input.addEventListener("blur", render);
  }
  comment.addEventListener("change", () => actOnChosen(store, "comment", { comment: comment.value.trim() }));
  comment.addEventListener("keydown", (event) => {
    if (event.key === "Escape") restore(comment);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) comment.blur();
  });
  comment.addEventListener("blur", render);

  function restore(input) {
    input.value = input === comment ? (chosenEvent(store.values)?.comment ?? "") : input.defaultValue;
    input.blur();
    render();
  }

  store.on(["events", "chosen", "draft", "info"], render);
  createChannels(store, part("channels"));
  return { focusComment: () => (root.hidden ? say("No event is chosen: N chooses the next") : comment.focus()) };
}

function facts(event, span, start) {
  const parts = [duration(span.duration)];
  if (event.confidence != null) parts.push(`confidence ${event.confidence.toFixed(2)}`);
  parts.push(event.verdict + (event.verdict !== "open" && event.reviewer ? ` by ${event.reviewer}` : ""));
  if (event.machine && event.verdict === "changed") {
    const { onset, duration: length } = event.machine;
    parts.push(`detected ${clock(onset, start, 1)} to ${clock(onset + length, start, 1)}`);
  }
  return parts.join(" · ");
}

/** The channels that an event is seen on, as boxes to tick. */
function createChannels(store, details) {
  const field = details.querySelector("fieldset");
  const summary = details.querySelector("#channels-summary");

  function render() {
    const { values } = store;
    const event = chosenEvent(values);
    if (!event || !values.info) return;
    const shown = values.info.montages.find(({ key }) => key === values.montage).traces.map(({ label }) => label);
    const labels = [...new Set([...shown, ...event.channels])];
    const named = new Set(event.channels.length ? event.channels : labels);
    const focused = document.activeElement?.value;
    const within = field.contains(document.activeElement);
    field.replaceChildren(field.querySelector("legend"), ...labels.map((label) => box(label, named.has(label))));
    if (within) [...field.querySelectorAll("input")].find(({ value }) => value === focused)?.focus();
    summary.textContent = event.channels.length ? `: ${event.channels.join(", ")}` : ": all";
  }

  field.addEventListener("change", () => {
    const boxes = [...field.querySelectorAll("input")];
    const ticked = boxes.filter(({ checked }) => checked).map(({ value }) => value);
    if (!ticked.length) {
      say("An event is on one channel at least");
      render();
      return;
    }
    actOnChosen(store, "channels", { channels: ticked.length === boxes.length ? [] : ticked });
  });
  store.on(["events", "chosen", "montage", "info"], render);
}

function box(label, ticked) {
  const element = document.createElement("label");
  const input = document.createElement("input");
  input.type = "checkbox";
  input.value = label;
  input.checked = ticked;
  element.append(input, ` ${label}`);
  return element;
}
