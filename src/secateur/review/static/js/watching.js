/** What others do meanwhile: other windows, other reviewers, a recording that grows or goes. */
import * as api from "./api.js";
import { adopt } from "./acts.js";
import { say } from "./saying.js";

const LEAST = 250;
/** Milliseconds between two questions, however fast the answers. */
const PAUSE = 3000;
/** Milliseconds after a failure until it is tried again. */

/** `grew()` is called when the recording has become longer, or has stopped growing. A hidden page asks nothing. */
export function watchChanges(store, grew) {
  let abort = null;
  let complaint = "";

  async function follow(id, signal) {
    while (!signal.aborted) {
      try {
        await Promise.all([once(id, signal), wait(LEAST)]);
      } catch (failure) {
        if (failure.name === "AbortError" || signal.aborted) return;
        if (failure.message !== complaint) say(failure.message);
        complaint = failure.message;
        await wait(PAUSE);
      }
    }
  }

  async function once(id, signal) {
    const { values } = store;
    if (complaint) {
      adoptNew(id, await api.events(id)); // at once: a long poll would wait for news
      say("The recording and its events are there again");
      complaint = "";
    }
    const shown = { since: values.events?.version ?? 0, alarms: values.alarms?.version ?? 0 };
    const answer = await api.changes(id, shown, signal);
    if (values.id !== id || !values.info) return;
    if (answer.version !== values.events?.version) adoptNew(id, await api.events(id));
    if (answer.alarms !== shown.alarms) adoptAlarms(id, await api.alarms(id));
    if (answer.duration !== values.info.duration || answer.live !== values.info.live) await grew();
  }

  function adoptNew(id, state) {
    if (store.values.id === id && state.version !== store.values.events?.version) adopt(store, state);
  }

  function adoptAlarms(id, alarms) {
    if (store.values.id === id) store.set({ alarms });
  }

  function restart() {
    abort?.abort();
    abort = null;
    complaint = "";
    const { id, info } = store.values;
    if (!id || !info || document.hidden) return;
    abort = new AbortController();
    follow(id, abort.signal);
  }

  document.addEventListener("visibilitychange", restart);
  store.on(["id", "ready"], restart);
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
