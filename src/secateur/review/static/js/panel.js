/** The panel of traces: what is drawn when, and what a pointer does on it. */
import { Blocks } from "./blocks.js";
import { onScheme, readColours } from "./colours.js";
import { drawPage, layout, leastHeight } from "./drawing.js";
import { clock, duration } from "./format.js";
import { chosenEvent, chosenSpan, goTo, pageSeconds } from "./view.js";
import { choose } from "./acts.js";
import { say } from "./saying.js";

const REDRAWN = [
  "info", "begin", "timebase", "sensitivity", "montage", "high", "low", "notch", "events", "chosen", "draft",
  "selection", "attribution", "plotWidth",
];
const MOVED = 4;
/** Pixels after which a press is a drag. */

export function createPanel(store, root) {
  const canvas = root.querySelector("canvas");
  const context = canvas.getContext("2d", { alpha: false });
  let colours = readColours();
  let queued = false;
  let turned = 0;
  let opened = null;
  let drawn = null;
  let place = null;

  const blocks = new Blocks(redraw, (refusal) => say(refusal.message));

  function redraw() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    queued = false;
    const { values } = store;
    if (!values.info || !canvas.clientWidth) return;
    const traces = values.info.montages.find(({ key }) => key === values.montage).traces;
    canvas.style.height = `max(100%, ${leastHeight(traces)}px)`;
    const scale = fit(canvas);
    place = layout(canvas.clientWidth, canvas.clientHeight, traces);
    store.set({ plotLeft: place.left, plotWidth: place.right - place.left });
    const view = viewOf(values, traces, scale);
    const page = blocks.page(view);
    if (page) drawn = page;
    const current = page ?? (drawn?.[0].traces === traces ? drawn : []);
    drawPage(context, sceneOf(values, view, current), place, colours, scale);
    if (page) measured();
    canvas.setAttribute("aria-label", described(values, traces));
    canvas.dataset.complete = String(Boolean(page));
    root.dispatchEvent(new CustomEvent("drawn", { detail: { place, view } }));
  }

  function measured() {
    const end = performance.now();
    if (opened !== null) performance.measure("first-picture", { start: opened, end });
    else if (turned) performance.measure("page-turn", { start: turned, end });
    opened = null;
    turned = 0;
  }

  store.on(REDRAWN, redraw);
  store.on(["begin"], () => (turned ||= performance.now()));
  store.on(["id"], () => {
    opened = store.values.asked;
    blocks.clear();
    drawn = null;
  });
  onScheme(() => {
    colours = readColours();
    redraw();
  });
  new ResizeObserver(redraw).observe(canvas);
  watchPointer(store, canvas, () => ({ place, begin: store.values.begin, seconds: pageSeconds(store.values) }));
  return { forgetAfter: (seconds) => blocks.forgetAfter(seconds), redraw };
}

/** Gives the canvas a pixel for each of the screen's; returns how many there are in a CSS pixel. */
function fit(canvas) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return scale;
}

function viewOf(values, traces, scale) {
  const { id, begin, montage, high, low, notch, info } = values;
  const width = Math.max(100, Math.round(values.plotWidth * scale));
  return { id, begin, montage, high, low, notch, width, traces, duration: info.duration, seconds: pageSeconds(values) };
}

function sceneOf(values, view, blocks) {
  const { info, sensitivity, selection, attribution } = values;
  const chosen = chosenEvent(values);
  const span = chosenSpan(values);
  const events = (values.events?.events ?? []).map((event) =>
    event === chosen ? { ...event, ...span, chosen: true } : event,
  );
  const named = new Set(chosen?.channels ?? []);
  const { begin, seconds, traces } = view;
  const { start, lost } = info;
  return { begin, seconds, traces, blocks, start, lost, sensitivity, selection, attribution, events, channels: named };
}

function described(values, traces) {
  const { info, begin, sensitivity, montage } = values;
  const end = Math.min(info.duration, begin + pageSeconds(values));
  const name = info.montages.find(({ key }) => key === montage).name;
  const span = `${clock(begin, info.start)} to ${clock(end, info.start)}`;
  return `EEG, ${traces.length} traces, ${name}, ${span}, ${sensitivity} µV/mm, negative up`;
}

/** A press chooses the event under it, a drag over the traces selects a stretch that can be added as an event. */
function watchPointer(store, canvas, geometry) {
  let pressed = null;

  function secondsAt(event) {
    const { place, begin, seconds } = geometry();
    const across = (event.clientX - canvas.getBoundingClientRect().left - place.left) / (place.right - place.left);
    return Math.min(store.values.info.duration, Math.max(0, begin + across * seconds));
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !geometry().place) return;
    pressed = { x: event.clientX, seconds: secondsAt(event), moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pressed) return;
    pressed.moved ||= Math.abs(event.clientX - pressed.x) > MOVED;
    if (!pressed.moved) return;
    const ends = [pressed.seconds, secondsAt(event)].sort((a, b) => a - b);
    store.set({ selection: { begin: ends[0], end: ends[1] } });
  });
  canvas.addEventListener("pointerup", () => {
    if (!pressed) return;
    const { seconds, moved } = pressed;
    pressed = null;
    if (moved) {
      const { begin, end } = store.values.selection;
      say(`${duration(end - begin)} selected: Add (I) makes it an event`);
      return;
    }
    const under = (store.values.events?.events ?? []).filter(
      ({ onset, duration: length }) => onset <= seconds && seconds <= onset + length,
    );
    store.set({ selection: null });
    if (under.length) choose(store, under.at(-1).id);
  });
  canvas.addEventListener("pointercancel", () => {
    pressed = null;
    store.set({ selection: null });
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    const pixels = event.deltaX || event.deltaY;
    goTo(store, store.values.begin + (pixels / canvas.clientWidth) * pageSeconds(store.values));
  }, { passive: false });
}
