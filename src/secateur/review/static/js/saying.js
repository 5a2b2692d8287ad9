/** One line for everyone, those who hear the page among them. */

const status = document.getElementById("status");

export function say(text) {
  status.textContent = text;
}
