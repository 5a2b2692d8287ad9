/** What a person decides about events: sent one after the other, each against the state that it was decided on. */
import * as api from "./api.js";
import { clock } from "./format.js";
import { chosenEvent, pageSeconds, reveal } from "./view.js";
import { say } from "./saying.js";

const LEAST = 0.1;
/** Seconds: no event is shorter. */
const DONE = {
  accept: "accepted", reject: "rejected", change: "changed", add: "added", comment: "commented on",
  channels: "given other channels",
};
const NOTHING = { undo: "There is nothing to undo", redo: "There is nothing to do again" };
const CONFLICT = "Somebody acted on these events in another window: theirs is shown, your last act was not done";

let queue = Promise.resolve();

/** Takes over the server's state of the events; a chosen event that is gone is chosen no longer. */
export function adopt(store, state) {
  const { chosen } = store.values;
  const stays = state.events.some(({ id }) => id === chosen);
  store.set({ events: state, draft: null, chosen: stays ? chosen : null });
}

export function nameOf(store, event) {
  return clock(event.onset, store.values.info.start);
}

/** Sends an act; resolves to whether it was done. */
export function act(store, kind, fields = {}) {
  const { id } = store.values;
  queue = queue.then(() => send(store, id, kind, fields));
  return queue;
}

async function send(store, id, kind, fields) {
  if (store.values.id !== id || !store.values.events) return false;
  const before = store.values.events;
  try {
    const state = await api.act(id, { version: before.version, act: kind, ...fields });
    if (store.values.id !== id) return true;
    adopt(store, state);
    say(outcome(store, before, state, kind, fields));
    return true;
  } catch (refusal) {
    store.set({ draft: null });
    if (refusal.status === 409 && refusal.body?.events) {
      if (store.values.id === id) adopt(store, refusal.body);
      say(CONFLICT);
    } else {
      say(refusal.message);
    }
    return false;
  }
}

function outcome(store, before, state, kind, fields) {
  if (state.version === before.version) return NOTHING[kind] ?? "That is so already";
  if (kind === "undo") return "Undone";
  if (kind === "redo") return "Done again";
  if (kind === "seen") return "Noted: gone through from begin to end, nothing is missing";
  const known = new Set(before.events.map(({ id }) => id));
  const event = state.events.find(({ id }) => (kind === "add" ? !known.has(id) : id === fields.event));
  if (!event) return "The added event is taken away";
  if (kind === "add") store.set({ chosen: event.id });
  return `Event at ${nameOf(store, event)} ${DONE[kind]}${overlap(store, state.events, event, kind)}`;
}

/** What is to be said where two events stand at one time: as a label they are one. */
function overlap(store, events, event, kind) {
  const ends = ({ onset, duration }) => onset + duration;
  const other = ["add", "change"].includes(kind) && events.find(
    (each) => each.id !== event.id && each.verdict !== "rejected" && each.onset < ends(event) && event.onset < ends(each),
  );
  return other ? `; it overlaps the one at ${nameOf(store, other)}` : "";
}

/** The same for whichever event is chosen. */
export function actOnChosen(store, kind, fields = {}) {
  const event = chosenEvent(store.values);
  if (!event) {
    say("No event is chosen: N chooses the next");
    return Promise.resolve(false);
  }
  return act(store, kind, { event: event.id, ...fields });
}

/** Begin and end, seconds, of the chosen event; kept inside the recording and in order. */
export function changeChosen(store, { onset, duration }) {
  const event = chosenEvent(store.values);
  if (!event || (event.onset === onset && event.duration === duration)) {
    store.set({ draft: null });
    return Promise.resolve(false);
  }
  store.set({ draft: { onset, duration } });
  return actOnChosen(store, "change", { onset, duration });
}

/** `span` with its begin or end (`edge`) at `seconds`; the other end stays. */
export function moved(span, edge, seconds, length) {
  const end = span.onset + span.duration;
  const last = Math.floor(length * 100) / 100;
  const rounded = Math.round(seconds * 100) / 100;
  const onset = edge === "begin" ? Math.min(Math.max(0, rounded), end - LEAST) : span.onset;
  const to = edge === "end" ? Math.max(Math.min(last, rounded), span.onset + LEAST) : end;
  return { onset, duration: Math.round((to - onset) * 1000) / 1000 };
}

/** Adds what is selected, or the middle of the page. */
export async function add(store) {
  const { selection, begin, info } = store.values;
  const page = Math.min(pageSeconds(store.values), info.duration);
  const from = selection?.begin ?? begin + 0.3 * page;
  const to = selection?.end ?? begin + 0.7 * page;
  const hundredths = (seconds) => Math.floor(seconds * 100) / 100;
  const onset = hundredths(from);
  const duration = Math.max(LEAST, hundredths(to - onset));
  store.set({ selection: null });
  return act(store, "add", { onset, duration });
}

/** The events in the order of the list. */
export function inOrder(values) {
  const events = [...(values.events?.events ?? [])];
  if (values.sort === "time") return events.sort((a, b) => a.onset - b.onset);
  return events.sort((a, b) => (b.confidence ?? -1) - (a.confidence ?? -1) || a.onset - b.onset);
}

export function choose(store, id) {
  const event = store.values.events.events.find((each) => each.id === id);
  store.set({ chosen: id, draft: null });
  if (event) reveal(store, event.onset, event.onset + event.duration);
}

/** The next event of the list (`step` 1) or the previous one (−1). */
export function step(store, direction) {
  const events = inOrder(store.values);
  if (!events.length) return say("There are no events");
  const at = events.findIndex(({ id }) => id === store.values.chosen);
  const next = at < 0 ? firstFrom(store, events, direction) : at + direction;
  if (next < 0 || next >= events.length) return say(direction > 0 ? "That was the last event" : "That was the first event");
  choose(store, events[next].id);
  return say(`Event ${next + 1} of ${events.length}, ${nameOf(store, events[next])}, ${events[next].verdict}`);
}

/** Where to begin when nothing is chosen: at the page, where the list is by time. */
function firstFrom(store, events, direction) {
  if (store.values.sort !== "time") return direction > 0 ? 0 : events.length - 1;
  const later = events.findIndex(({ onset }) => onset >= store.values.begin);
  if (direction > 0) return later < 0 ? events.length - 1 : later;
  return later < 0 ? events.length - 1 : Math.max(0, later - 1);
}
