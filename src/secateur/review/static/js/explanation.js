/** Why an event, or the page, was called: asked for only while it is wanted. */
import * as api from "./api.js";
import { chosenEvent, pageSeconds } from "./view.js";
import { say } from "./saying.js";

const QUIET = 150;
/** Milliseconds that a page must stand before it is explained. */

export function createExplanation(store, button, root) {
  let timer = 0;
  let abort = null;
  let last = "";

  function subject() {
    const { values } = store;
    const page = pageSeconds(values);
    const event = chosenEvent(values);
    const visible = event && event.onset < values.begin + page && event.onset + event.duration > values.begin;
    if (visible) return { onset: event.onset, duration: event.duration, event: true };
    return { onset: values.begin, duration: Math.min(page, values.info.duration - values.begin), event: false };
  }

  function schedule() {
    const { values } = store;
    const on = values.why && values.info && values.detector;
    button.setAttribute("aria-pressed", String(Boolean(values.why)));
    button.disabled = !values.detector;
    if (!on) {
      last = "";
      abort?.abort();
      root.hidden = true;
      store.set({ attribution: null });
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(ask, QUIET);
  }

  async function ask() {
    const { values } = store;
    if (!values.info || !values.why) return;
    const { onset, duration, event } = subject();
    const key = [values.id, values.montage, onset, duration].join("|");
    if (key === last) return;
    last = key;
    abort?.abort();
    abort = new AbortController();
    try {
      const answer = await api.attribution(values.id, { onset, duration, montage: values.montage }, abort.signal);
      if (key !== last) return;
      store.set({ attribution: answer });
      show(root, answer, event);
    } catch (failure) {
      if (failure.name === "AbortError" || key !== last) return;
      store.set({ attribution: null });
      root.hidden = true;
      say(failure.message);
    }
  }

  button.addEventListener("click", () => store.set({ why: !store.values.why }));
  store.on(["why", "begin", "timebase", "chosen", "events", "montage", "info", "detector"], schedule);
}

function show(root, answer, event) {
  root.hidden = false;
  const channels = [...answer.channels].sort((a, b) => b.share - a.share).slice(0, 3);
  const named = channels.map(({ label }) => label).join(", ");
  root.querySelector("#explanation-note").textContent =
    `${event ? "This event" : "This page"}: most on ${named}. Orange above a trace's line speaks for a seizure, violet below it against one. Weights are in % of the strongest.`;
  root.querySelector("#bands tbody").replaceChildren(...answer.bands.map(bandRow));
  root.querySelector("#head").replaceChildren(...headOf(answer.head));
}

const percent = (share) => `${share < 0 ? "−" : ""}${Math.round(100 * Math.abs(share))} %`;

function bandRow({ name, share }) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const value = document.createElement("td");
  value.textContent = percent(share);
  const bar = document.createElement("td");
  bar.className = "bar-cell";
  const fill = document.createElement("span");
  fill.className = share < 0 ? "fill against" : "fill";
  fill.style.width = `${Math.min(100, 100 * Math.abs(share))}%`;
  bar.append(fill);
  line.append(head, value, bar);
  return line;
}

/** The head picture, taken apart as a document first: nothing in it is run. */
function headOf(text) {
  if (!text) return [];
  const picture = new DOMParser().parseFromString(text, "text/html").querySelector("svg");
  if (!picture) return [];
  for (const element of picture.querySelectorAll("script, foreignObject")) element.remove();
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", "Share of each channel, on the head seen from above, nose up");
  return [document.importNode(picture, true)];
}
