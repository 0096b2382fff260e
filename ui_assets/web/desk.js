// The web desk's script: what changes by itself, live pictures, the player.
//
// It puts pieces that the server made where they belong (data-live), shows cameras (data-camera) and
// plays episodes (data-player). It decides nothing: what may be done is the server's to say.
"use strict";

const STATUS_MS = 250, PICTURE_MS = 100, GONE_AFTER = 3;
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const seen = (element) => element.offsetParent !== null && !document.hidden;

// --- What changes by itself ----------------------------------------------------------------------
const shown = new WeakMap();
let failures = 0, live = false, server = "";
const told = {};

function put(element, html) {
  if (shown.get(element) === html) return;
  shown.set(element, html);
  element.innerHTML = html;
}

function cameras(element, html) {
  // Only when the cameras are others: a picture that is loading must not be torn away.
  if (shown.get(element) === html) return;
  put(element, html);
  all("img[data-camera]", element).forEach(follow);
}

function apply(status) {
  // A web desk that was started again knows nothing of what this page was given.
  if (server && server !== status.server) return void location.reload();
  server = status.server;
  failures = 0;
  document.body.classList.remove("gone");
  for (const [place, html] of Object.entries(status.html))
    for (const element of all(`[data-live="${place}"]`))
      (place === "cameras" ? cameras : put)(element, html);
  for (const element of all("[data-said]")) {
    const said = status.said[element.dataset.said] || "";
    if (element.textContent !== said) element.textContent = said;
  }
  for (const [name, reason] of Object.entries(status.refusals)) refuse(name, reason);
  live = status.live;
  all("[data-viewer]").forEach(view);
  for (const [block, revision] of Object.entries(status.revisions))
    if (told[block] !== revision && tell(block)) told[block] = revision;
}

function refuse(name, reason) {
  // Gradio makes a tab's buttons when it is first opened.
  const button = document.getElementById(name);
  if (!button || (button.title === reason && button.disabled === (reason !== ""))) return;
  button.title = reason;
  button.disabled = reason !== "";
}

function tell(block) {
  // Gradio's listener is on an element inside the block, which is there once its tab was opened.
  const place = document.getElementById(block);
  if (!place || place.offsetParent === null) return false;
  const inside = all("*", place);
  inside.forEach((element) => element.dispatchEvent(new Event("desk-changed")));
  return inside.length > 0;
}

function lost() {
  if (++failures < GONE_AFTER) return;
  document.body.classList.add("gone");
  for (const element of all('[data-live="banner"]'))
    put(element, '<div class="banner tone-fault" role="status"><span class="word">Web desk gone</span>' +
      '<span class="detail">This page hears nothing: what it shows is old</span></div>');
}

async function poll() {
  try {
    if (!document.hidden) {
      const answer = await fetch("/live/status", { signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(answer.status);
      apply(await answer.json());
    }
  } catch { lost(); }
  setTimeout(poll, STATUS_MS);
}

// --- Live pictures -------------------------------------------------------------------------------
function follow(image) {
  let number = 0;
  const next = () => {
    if (!image.isConnected) return;
    if (!seen(image)) return void setTimeout(next, 500);
    const fresh = new Image();
    const again = () => setTimeout(next, PICTURE_MS);
    fresh.onload = () => { image.src = fresh.src; again(); };
    fresh.onerror = () => setTimeout(next, 1000);
    fresh.src = `/live/camera/${encodeURIComponent(image.dataset.camera)}.jpg?${number++}`;
  };
  next();
}

function view(place) {
  const frame = place.querySelector("iframe");
  if (!live && frame) frame.remove();
  if (!live) return void place.classList.remove("live");
  if (frame || !seen(place)) return;
  const made = document.createElement("iframe");
  made.src = `/viewer/?theme=${document.body.classList.contains("dark") ? "dark" : "light"}`;
  made.title = "Live view in Rerun";
  place.classList.add("live");
  place.append(made);
}

// --- The player ----------------------------------------------------------------------------------
const players = new WeakMap();

class Player {
  constructor(root) {
    this.root = root;
    Object.assign(this, JSON.parse(root.dataset.player));
    this.at = 0; this.playing = false; this.last = 0;
    this.scrub = root.querySelector("[data-scrub]");
    this.frames = all("[data-frame]", root).map((image) => ({
      image, times: this.cameras[image.dataset.frame], camera: image.dataset.frame, row: -1, busy: false }));
    this.events = all(".event", root);
    this.show(0);
  }
  row(times, at) {
    let low = 0, high = times.length;
    while (low < high) { const middle = (low + high) >> 1; times[middle] <= at + 1e-6 ? low = middle + 1 : high = middle; }
    return Math.max(0, low - 1);
  }
  show(at) {
    this.at = Math.min(this.length, Math.max(0, at));
    if (document.activeElement !== this.scrub || this.playing) this.scrub.value = this.at;
    const share = `${100 * this.at / (this.length || 1)}%`;
    all("[data-now]", this.root).forEach((line) => line.style.left = share);
    const tenths = Math.floor(this.at * 10), minutes = Math.floor(tenths / 600);
    const two = (number) => String(number).padStart(2, "0");
    this.root.querySelector("[data-at]").textContent =
      `${two(minutes)}:${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
    const before = this.events.filter((mark) => Number(mark.dataset.atS) <= this.at).pop();
    this.root.querySelector("[data-mark]").textContent = before ? before.dataset.what : "";
    this.frames.forEach((frame) => this.load(frame));
  }
  load(frame) {       // one picture at a time, and always the one that is wanted now
    const row = this.row(frame.times, this.at);
    if (frame.busy || row === frame.row || !frame.times.length) return;
    frame.busy = true; frame.row = row;
    const fresh = new Image();
    const then = () => { frame.busy = false; this.load(frame); };
    fresh.onload = () => { frame.image.src = fresh.src; frame.image.dataset.row = row; frame.image.classList.remove("lost"); then(); };
    fresh.onerror = () => { frame.image.classList.add("lost"); then(); };
    fresh.src = `/episodes/${this.episode}/${encodeURIComponent(frame.camera)}/${row}.jpg`;
  }
  step(by) {
    const times = this.frames.length ? this.frames[0].times : [];
    const row = this.row(times, this.at) + by;
    this.pause();
    this.show(times[Math.min(times.length - 1, Math.max(0, row))] ?? this.at);
  }
  toggle() { this.playing ? this.pause() : this.play(); }
  pause() { this.playing = false; this.draw(); }
  play() {
    if (this.at >= this.length - 0.01) this.show(0);
    this.playing = true; this.last = performance.now(); this.draw();
    const turn = (now) => {
      if (!this.playing || !this.root.isConnected) return;
      const speed = Number(this.root.querySelector("[data-speed]").value);
      this.show(this.at + (now - this.last) / 1000 * speed);
      this.last = now;
      if (this.at >= this.length) this.pause(); else requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
  }
  draw() { this.root.classList.toggle("playing", this.playing); }
}

const playerOf = (element) => {
  const root = element.closest("[data-player]");
  if (root && !players.has(root)) players.set(root, new Player(root));
  return root && players.get(root);
};

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-scrub]")) return;
  const player = playerOf(event.target);
  player.pause(); player.show(Number(event.target.value));
});

document.addEventListener("click", (event) => {
  const strip = event.target.closest(".strip"), button = event.target.closest("[data-do]");
  if (strip) {
    const box = strip.getBoundingClientRect(), player = playerOf(strip);
    player.show((event.clientX - box.left) / box.width * player.length);
  }
  if (button) {
    const player = playerOf(button);
    ({ play: () => player.toggle(), back: () => player.step(-1), forward: () => player.step(1) })[button.dataset.do]();
  }
  const row = event.target.closest("[data-episode]");
  if (row) mark(row, event);
  if (event.target.closest("[data-theme]")) turnTheme();
});

function mark(row, event) {     // at once; the server says the same a moment later
  const box = row.querySelector("[data-pick]");
  if (event.shiftKey) return;
  if (event.target === box) return void row.classList.toggle("picked", box.checked);
  if (event.ctrlKey || event.metaKey) { box.checked = !box.checked; return void row.classList.toggle("picked", box.checked); }
  all(".episode.focus").forEach((other) => other.classList.remove("focus"));
  row.classList.add("focus");
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select, [contenteditable]") && !event.target.matches("[data-scrub], [data-pick]")) return;
  const row = event.target.closest("[data-episode]");
  if (row && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); row.click(); }
  if (row && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    if (next) { event.preventDefault(); next.focus(); next.click(); }
  }
});

// --- Light and dark ------------------------------------------------------------------------------
function turnTheme() {
  const dark = document.body.classList.toggle("dark");
  localStorage.setItem("desk-theme", dark ? "dark" : "light");
  all("[data-viewer] iframe").forEach((frame) => frame.remove());
}
function startTheme() {
  const kept = localStorage.getItem("desk-theme");
  if (kept) document.body.classList.toggle("dark", kept === "dark");
}

new MutationObserver(() => all("[data-player]").forEach(playerOf))
  .observe(document.documentElement, { childList: true, subtree: true });
startTheme();
poll();
