/** Colours of the canvas, as the style sheet has them for light and dark. */

const NAMES = [
  "paper", "ink", "soft", "grid", "grid-strong", "left", "right", "middle", "lost",
  "open", "accepted", "rejected", "changed", "added", "chosen", "positive", "negative", "threshold", "link", "wash",
];

export function readColours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

const scheme = matchMedia("(prefers-color-scheme: dark)");

/** Calls `call` whenever the system turns to dark or light. */
export const onScheme = (call) => scheme.addEventListener("change", call);

/** A hatching of lines in `colour`, for what has no signal. */
export function hatching(context, colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(-2, 10);
  pen.lineTo(10, -2);
  pen.moveTo(-2, 2);
  pen.lineTo(2, -2);
  pen.moveTo(6, 10);
  pen.lineTo(10, 6);
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
