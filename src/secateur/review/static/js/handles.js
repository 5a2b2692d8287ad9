/** The two edges of the chosen event: dragged, or moved by keys as sliders are. */
import { changeChosen, moved } from "./acts.js";
import { clock } from "./format.js";
import { chosenEvent, chosenSpan, pageSeconds, reveal } from "./view.js";
import { say } from "./saying.js";

const QUIET = 900;
/** Milliseconds without a key after which a moved edge is sent. */

export function createHandles(store, root) {
  const handles = { begin: root.querySelector("#handle-begin"), end: root.querySelector("#handle-end") };
  let place = null;
  root.addEventListener("drawn", ({ detail }) => {
    place = detail.place;
    for (const [edge, handle] of Object.entries(handles)) position(store, handle, edge, place);
  });
  for (const [edge, handle] of Object.entries(handles)) {
    watchPointer(store, root, handle, edge, () => place);
    watchKeys(store, handle, edge);
  }
  return {
    /** Brings an edge onto the page and the focus to it. */
    focus(edge) {
      const span = chosenSpan(store.values);
      if (!span) return say("No event is chosen: N chooses the next");
      const at = edge === "begin" ? span.onset : span.onset + span.duration;
      reveal(store, at, at);
      handles[edge].hidden = false;
      handles[edge].focus();
      return undefined;
    },
  };
}

function position(store, handle, edge, place) {
  const { values } = store;
  const span = chosenSpan(values);
  const at = span && (edge === "begin" ? span.onset : span.onset + span.duration);
  const page = pageSeconds(values);
  const visible = span !== null && at >= values.begin - 1e-6 && at <= values.begin + page + 1e-6;
  handle.hidden = !visible;
  if (!visible) return;
  const across = place.left + ((at - values.begin) / page) * (place.right - place.left);
  handle.style.left = `${across}px`;
  handle.style.top = `${place.top}px`;
  handle.style.height = `${place.bottom - place.top}px`;
  handle.setAttribute("aria-valuemax", values.info.duration.toFixed(2));
  handle.setAttribute("aria-valuenow", at.toFixed(2));
  handle.setAttribute("aria-valuetext", clock(at, values.info.start, 1));
}

function watchPointer(store, root, handle, edge, placed) {
  let dragging = false;

  function drag(event) {
    const { values } = store;
    const { left, right } = placed();
    const across = (event.clientX - root.getBoundingClientRect().left - left) / (right - left);
    const seconds = values.begin + Math.min(1, Math.max(0, across)) * pageSeconds(values);
    store.set({ draft: moved(chosenSpan(values), edge, seconds, values.info.duration) });
  }

  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    dragging = true;
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (dragging && chosenEvent(store.values)) drag(event);
  });
  handle.addEventListener("pointerup", () => {
    dragging = false;
    if (store.values.draft) changeChosen(store, store.values.draft);
  });
  handle.addEventListener("pointercancel", () => {
    dragging = false;
    store.set({ draft: null });
  });
}

/** Arrows move an edge by 0.1 s, with Shift by 1 s; it is sent after a while, by Enter, or when the focus leaves. */
function watchKeys(store, handle, edge) {
  let timer = 0;

  function send() {
    clearTimeout(timer);
    timer = 0;
    if (store.values.draft) changeChosen(store, store.values.draft);
  }

  handle.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (event.key === "Enter" && timer) send();
    if (event.key === "Escape" && timer) {
      clearTimeout(timer);
      timer = 0;
      store.set({ draft: null });
      event.stopPropagation();
    }
    if (!direction || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const span = chosenSpan(store.values);
    const at = edge === "begin" ? span.onset : span.onset + span.duration;
    const draft = moved(span, edge, at + direction * (event.shiftKey ? 1 : 0.1), store.values.info.duration);
    store.set({ draft });
    const to = edge === "begin" ? draft.onset : draft.onset + draft.duration;
    reveal(store, to, to);
    clearTimeout(timer);
    timer = setTimeout(send, QUIET);
  });
  handle.addEventListener("blur", () => timer && send());
}

