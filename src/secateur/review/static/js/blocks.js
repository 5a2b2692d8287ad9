/**
 * The signal in blocks of a page's length from the recording's begin on, fetched before they are needed and
 * kept for as long as a few pages to either side.
 */
import * as api from "./api.js";

const KEPT = 32;

export class Blocks {
  #kept = new Map();
  #pending = new Map();
  #arrived;
  #failed;

  /** `arrived()` is called when a block has come, `failed(refusal)` when it was refused. */
  constructor(arrived, failed) {
    this.#arrived = arrived;
    this.#failed = failed;
  }

  /**
   * The blocks that cover the page, in order, or null while some are missing. Those of the next page, the
   * previous page and the one after the next are asked for, too.
   */
  page(view) {
    const { begin, seconds, duration } = view;
    const length = Math.max(1, Math.ceil(seconds));
    const last = Math.max(0, Math.ceil(duration / length) - 1);
    const of = (time) => Math.min(last, Math.max(0, Math.floor(time / length + 1e-9)));
    const shown = range(of(begin), of(begin + seconds - 1e-6));
    const turned = [begin + seconds, begin - seconds, begin + 2 * seconds];
    const near = turned.flatMap((time) => range(of(time), of(time + seconds - 1e-6)));
    const wanted = [...new Set([...shown, ...near])].map((index) => ({ index, length, view }));
    const keys = new Set(wanted.map(key));
    for (const [pending, abort] of this.#pending) if (!keys.has(pending)) abort.abort();
    const blocks = wanted.map((block) => this.#block(block)).slice(0, shown.length);
    return blocks.every(Boolean) ? blocks : null;
  }

  /** Forgets what was read behind `seconds`: a recording that grows has more there now. */
  forgetAfter(seconds) {
    for (const [name, block] of this.#kept) if (block.begin + block.asked > seconds) this.#kept.delete(name);
  }

  clear() {
    for (const abort of this.#pending.values()) abort.abort();
    this.#pending.clear();
    this.#kept.clear();
  }

  #block(block) {
    const name = key(block);
    const kept = this.#kept.get(name);
    if (kept) {
      this.#kept.delete(name);
      this.#kept.set(name, kept);
    } else if (!this.#pending.has(name)) {
      this.#fetch(name, block);
    }
    return kept;
  }

  async #fetch(name, { index, length, view }) {
    const abort = new AbortController();
    this.#pending.set(name, abort);
    const { id, montage, high, low, notch, width } = view;
    const parts = { begin: index * length, seconds: length, montage, high, low, notch, width };
    try {
      const answer = await api.traces(id, parts, abort.signal);
      this.#kept.set(name, { ...answer, asked: length, traces: view.traces });
      while (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
      this.#pending.delete(name);
      this.#arrived();
    } catch (failure) {
      if (this.#pending.get(name) === abort) this.#pending.delete(name);
      if (failure.name !== "AbortError") this.#failed(failure);
    }
  }
}

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, step) => first + step);

function key({ index, length, view }) {
  const { id, montage, high, low, notch, width } = view;
  return [id, montage, high, low, notch, width, length, index].join("|");
}
