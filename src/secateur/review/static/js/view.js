/** Which part of the recording stands on the page, and at what scale. */

export const MILLIMETRE = 96 / 25.4;
/** CSS pixels of a CSS millimetre. */
export const SENSITIVITIES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200];
/** µV/mm */
export const TIMEBASES = [
  ...[1, 2, 5, 10, 15, 20, 30, 60].map((value) => ({ key: `${value}s`, seconds: value, name: `${value} s/page` })),
  ...[15, 30, 60].map((value) => ({ key: `${value}mm`, millimetres: value, name: `${value} mm/s` })),
];

/** Seconds on the page: as chosen, or what fits into the width at so many millimetres a second. */
export function pageSeconds(values) {
  const timebase = TIMEBASES.find(({ key }) => key === values.timebase);
  if (timebase.seconds) return timebase.seconds;
  return Math.max(1, values.plotWidth) / (MILLIMETRE * timebase.millimetres);
}

/** Shows the recording from `begin`, seconds, kept inside of it and on a grid of 10 ms. */
export function goTo(store, begin) {
  const last = Math.max(0, store.values.info.duration - pageSeconds(store.values));
  store.set({ begin: Math.round(100 * Math.min(Math.max(0, begin), last)) / 100 });
}

export const turnPage = (store, pages) => goTo(store, store.values.begin + pages * pageSeconds(store.values));

/** Shows `seconds` a fifth of the page from its left edge, unless it is on the page with room to either side. */
export function reveal(store, begin, end) {
  const page = pageSeconds(store.values);
  const from = store.values.begin;
  if (begin >= from && end <= from + page) return;
  goTo(store, begin - page / 5);
}

/** The chosen event as it stands, or as it is being dragged. */
export function chosenEvent(values) {
  return values.events?.events.find(({ id }) => id === values.chosen) ?? null;
}

export function chosenSpan(values) {
  const event = chosenEvent(values);
  if (!event) return null;
  return values.draft ?? { onset: event.onset, duration: event.duration };
}
