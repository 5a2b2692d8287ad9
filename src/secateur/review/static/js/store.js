/**
 * What the page shows, as one object of values. Listeners name the values they depend on and are called once
 * after a change, before the next frame.
 */
export function createStore(values) {
  const listeners = [];
  const changed = new Set();
  let queued = false;

  function flush() {
    queued = false;
    const keys = new Set(changed);
    changed.clear();
    for (const { on, call } of listeners) if (on.some((key) => keys.has(key))) call();
  }

  return {
    values,
    set(patch) {
      for (const [key, value] of Object.entries(patch)) {
        if (values[key] === value) continue;
        values[key] = value;
        changed.add(key);
      }
      if (changed.size && !queued) {
        queued = true;
        queueMicrotask(flush);
      }
    },
    on(keys, call) {
      listeners.push({ on: keys, call });
    },
  };
}
