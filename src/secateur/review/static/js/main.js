/** Puts the page together: what is shown follows the address, `#recording=ID&at=SECONDS`. */
import { createAlarmTable } from "./alarms.js";
import * as api from "./api.js";
import { act, actOnChosen, add, adopt, step } from "./acts.js";
import { createChosen } from "./chosen.js";
import { createExplanation } from "./explanation.js";
import { duration } from "./format.js";
import { createHandles } from "./handles.js";
import { createKeys } from "./keys.js";
import { createList } from "./list.js";
import { showOverview } from "./overview.js";
import { createPanel } from "./panel.js";
import { say } from "./saying.js";
import { createStore } from "./store.js";
import { createStrip } from "./strip.js";
import { createTools } from "./tools.js";
import { goTo, pageSeconds, turnPage } from "./view.js";
import { watchChanges } from "./watching.js";

const RENEWED = 3000;
/** Milliseconds after which the list of recordings is asked for again, at the least. */
const SHARE = 10;
/** So many times as long as the answer took. */

const part = (id) => document.getElementById(id);
const store = createStore({
  id: null, info: null, detector: null, recordings: [], begin: 0, plotLeft: 54, plotWidth: 0, timebase: "10s", sensitivity: 10,
  montage: "", high: 0, low: 0, notch: 0, events: null, alarms: null, chosen: null, draft: null, selection: null, sort: "time",
  why: false, asked: 0, attribution: null, ready: 0, progress: 0,
});

const panel = createPanel(store, part("traces"));
const handles = createHandles(store, part("traces"));
const strip = createStrip(store, part("strip"), part("strip-note"));
const tools = createTools(store, part("tools"), part("interval"));
createList(store, part("events"), part("events-count"), part("events-problem"));
createAlarmTable(store, part("alarms"));
const chosen = createChosen(store, part("chosen"));
createExplanation(store, part("why"), part("explanation"));
watchChanges(store, grew);

const commands = {
  accept: () => actOnChosen(store, "accept"),
  reject: () => actOnChosen(store, "reject"),
  next: () => step(store, 1),
  previous: () => step(store, -1),
  begin: () => handles.focus("begin"),
  end: () => handles.focus("end"),
  add: async () => (await add(store)) && requestAnimationFrame(() => handles.focus("begin")),
  comment: () => chosen.focusComment(),
  seen: () => act(store, "seen"),
  undo: () => act(store, "undo"),
  redo: () => act(store, "redo"),
  page: (key) => turnPage(store, ["ArrowRight", "PageDown"].includes(key) ? 1 : -1),
  second: (key) => goTo(store, store.values.begin + (key.endsWith("Right") ? 1 : -1)),
  edge: (key) => goTo(store, key === "Home" ? 0 : store.values.info.duration),
  sensitivity: (key) => tools.step("sensitivity", "+=".includes(key) ? -1 : 1),
  timebase: (key) => tools.step("timebase", key === "t" ? 1 : -1),
  montage: (key) => tools.montage(Number(key)),
  high: (key) => tools.step("high", key === "h" ? 1 : -1),
  low: (key) => tools.step("low", key === "l" ? 1 : -1),
  notch: () => tools.step("notch", 1, true),
  why: () => part("why").click(),
  sort: () => store.set({ sort: store.values.sort === "time" ? "confidence" : "time" }),
  goTo: () => tools.focusGoTo(),
  overview: () => (location.hash = ""),
  help: () => part("help").showModal(),
  escape: () => {
    document.activeElement?.blur();
    store.set({ selection: null });
  },
};
const onDesk = (call) => (...args) => (store.values.info ? call(...args) : undefined);
const anywhere = new Set(["help", "overview"]);
createKeys(
  Object.fromEntries(Object.entries(commands).map(([name, call]) => [name, anywhere.has(name) ? call : onDesk(call)])),
  part("help"),
);
for (const [button, command] of [
  ["accept", "accept"], ["reject", "reject"], ["add", "add"], ["undo", "undo"], ["redo", "redo"],
  ["seen", "seen"],
  ["next-event", "next"], ["previous-event", "previous"], ["help-button", "help"],
]) {
  part(button).addEventListener("click", () => commands[command]());
}
part("page-back").addEventListener("click", () => turnPage(store, -1));
part("page-on").addEventListener("click", () => turnPage(store, 1));
part("recording").addEventListener("change", ({ target }) => (location.hash = `recording=${encodeURIComponent(target.value)}`));

let visited = false;
/** Whether something was shown before: else the time of a first picture counts from the page's own begin. */

/** The address says where we are, so that a reload or another window comes to the same page. */
let pending = 0;
store.on(["begin", "id"], () => {
  clearTimeout(pending);
  pending = setTimeout(() => {
    const { id, begin, info } = store.values;
    if (id && info) history.replaceState(null, "", `#recording=${encodeURIComponent(id)}&at=${begin}`);
  }, 200);
});

store.on(["chosen", "info"], () => {
  for (const id of ["accept", "reject"]) part(id).disabled = !store.values.chosen;
});

async function listRecordings() {
  const listing = await api.recordings();
  store.set({ recordings: listing.recordings, detector: listing.detector });
  part("reviewer").textContent = listing.reviewer ? `Reviewer ${listing.reviewer}` : "";
  const readable = listing.recordings.filter(({ duration: seconds }) => seconds !== null);
  part("recording").replaceChildren(...readable.map(({ id, name }) => new Option(name, id)));
  return listing;
}

async function open(id, at) {
  store.set({ id, asked: visited ? performance.now() : 0, info: null, events: null, alarms: null, chosen: null, draft: null, selection: null, attribution: null });
  const info = await api.info(id);
  if (store.values.id !== id) return;
  const { montage, high, low, notch } = store.values;
  const keep = (value, choices, other) => (choices.includes(value) ? value : other);
  const keys = info.montages.map(({ key }) => key);
  store.set({
    info,
    begin: 0,
    montage: keep(montage, keys, keys[0]),
    high: keep(high || 0.5, info.filters.high, info.filters.high[0]),
    low: keep(low || 70, info.filters.low, info.filters.low[0]),
    notch: keep(notch, info.filters.notch, 0),
  });
  goTo(store, at);
  showFacts(info);
  const state = await api.events(id).catch(unreadable);
  if (store.values.id !== id) return;
  adopt(store, state);
  store.set({ ready: store.values.ready + 1 });
}

/** The state of events that can't be read: the recording can be looked at all the same. */
function unreadable(refusal) {
  say(refusal.message);
  return { version: 0, events: [], others: [], problem: refusal.message };
}

function showFacts(info) {
  const parts = [duration(info.duration), `${info.rate} Hz`, ...(info.live ? ["live"] : [])];
  part("facts").textContent = parts.join(" · ");
  document.title = `${info.name} – Secateur review`;
  part("recording").value = store.values.id;
  if (info.notes.length) say(info.notes.join("; "));
}

store.on(["events"], () => {
  const others = store.values.events?.others ?? [];
  const text = others.map(({ reviewer, events }) => `${reviewer} (${events ?? "can't be read"})`).join(", ");
  const { seen, source, table } = store.values.events ?? {};
  const by = source === "ours" ? store.values.detector : table;
  part("seen-by").textContent = seen ? `Gone through to the end${seen.reviewer ? ` by ${seen.reviewer}` : ""}` : "";
  const notes = [by ? `Events of ${by}` : "", text ? `also reviewed by ${text}` : ""];
  part("others").textContent = notes.filter(Boolean).join("; ");
});

/** A recording that grows: who stood at its end goes along. */
async function grew() {
  const { id, info, begin } = store.values;
  const following = begin + pageSeconds(store.values) >= info.duration - 0.01;
  const renewed = await api.info(id);
  if (store.values.id !== id) return;
  panel.forgetAfter(info.duration);
  store.set({ info: renewed });
  showFacts(renewed);
  if (following) goTo(store, renewed.duration);
}

async function route() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const id = parts.get("recording");
  part("overview").hidden = Boolean(id);
  part("desk").hidden = !id;
  part("recording-field").hidden = !id;
  part("facts").textContent = "";
  say("");
  if (!id) {
    store.set({ id: null, info: null, events: null, alarms: null, chosen: null, draft: null, selection: null });
    document.title = "Secateur review";
    await keepOverview();
    return;
  }
  if (id === store.values.id && store.values.info) {
    goTo(store, Number(parts.get("at")) || 0);
    return;
  }
  await Promise.all([listRecordings(), open(id, Number(parts.get("at")) || 0)]);
  part("recording").value = id;
}

let renewal = 0;

/** The list of recordings, renewed while anything in it goes on. */
async function keepOverview() {
  clearTimeout(renewal);
  if (store.values.id) return;
  const asked = performance.now();
  const first = !part("recordings").tBodies[0].rows.length;
  if (first) say("Looking into all recordings of the folder …");
  const listing = await listRecordings();
  if (store.values.id) return;
  if (first) say("");
  await showOverview(part("overview"), listing);
  if (!listing.recordings.some(({ unfinished }) => unfinished)) return;
  const pause = Math.max(RENEWED, SHARE * (performance.now() - asked));
  clearTimeout(renewal);
  renewal = setTimeout(() => (document.hidden ? undefined : keepOverview().catch(({ message }) => say(message))), pause);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !part("overview").hidden) keepOverview().catch(({ message }) => say(message));
});

async function follow() {
  try {
    await route();
  } catch (refusal) {
    say(refusal.message);
  }
  visited = true;
}

addEventListener("hashchange", follow);
follow();
