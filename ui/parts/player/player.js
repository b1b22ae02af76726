// A film of a few pictures: play, pause, scrub, step, speed, and a still in its place. Nothing goes
// to the server. Text comes from a worker: it is only ever set as text.
const REST = 450; // milliseconds without a step before its caption is said aloud
const QUIET = matchMedia("(prefers-reduced-motion: reduce)");
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -5, PageDown: 5 };
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

class Player {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.root = this.find(".player");
    this.listen();
  }

  // -- what the server sends ---------------------------------------------------------------------

  take(data) {
    if (this.data?.id === data.id) return;
    this.pause(false);
    clearTimeout(this.speech);
    this.data = data;
    this.at = 0;
    this.still = QUIET.matches;
    this.started = false; // it begins by itself once, when it comes into sight
    this.pictures = [...data.frames, data.still].map((source) => Object.assign(new Image(), { src: source }));
    this.root.setAttribute("aria-label", data.label ? `${data.label}. ${data.title}` : data.title);
    this.root.classList.toggle("single", data.frames.length < 2);
    const longest = Math.max(...data.captions.map((caption) => caption.length), data.said.length);
    this.root.style.setProperty("--lines", Math.ceil(longest / 78));
    this.root.style.setProperty("--narrow", Math.ceil(longest / 38));
    this.find(".tag").textContent = data.label;
    this.find(".scrub").max = this.last;
    this.show();
    for (const picture of this.pictures) picture.decode().then(() => this.draw(), () => {});
  }

  get last() {
    return this.data.frames.length - 1;
  }

  get caption() {
    return this.still ? this.data.said : this.data.captions[this.at];
  }

  // -- what is drawn -----------------------------------------------------------------------------

  draw() {
    const picture = this.pictures[this.still ? this.last + 1 : this.at];
    if (!picture.complete || !picture.naturalWidth) return;
    const canvas = this.find("canvas");
    Object.assign(canvas, { width: picture.naturalWidth, height: picture.naturalHeight });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    this.root.dataset.drawn = this.still ? "still" : this.at;
  }

  show() {
    const number = `${this.at + 1} / ${this.last + 1}`;
    this.find(".caption").textContent = this.caption;
    this.find("canvas").setAttribute("aria-label", this.caption);
    this.find(".count").textContent = this.still ? "" : number;
    this.find(".still").setAttribute("aria-pressed", String(this.still));
    const scrub = this.find(".scrub");
    scrub.value = this.at;
    // While it plays the slider keeps still for those who listen.
    scrub.setAttribute("aria-valuetext", this.timer ? "Playing" : this.still ? "Still picture" : `Step ${this.at + 1} of ${this.last + 1}`);
    this.root.classList.toggle("playing", Boolean(this.timer));
    this.find(".play").setAttribute("aria-label", this.timer ? "Pause" : "Play");
    this.draw();
  }

  // Said once the steps rest, so that neither a held key nor the film chatters.
  aloud(text) {
    clearTimeout(this.speech);
    this.speech = setTimeout(() => (this.find(".aloud").textContent = text), REST);
  }

  tell() {
    this.aloud(this.still ? this.caption : `Step ${this.at + 1} of ${this.last + 1}. ${this.caption}`);
  }

  // -- what the reader does ----------------------------------------------------------------------

  play(byReader = true) {
    if (this.timer || this.last < 1) return;
    this.started = true;
    this.still = false;
    if (this.at >= this.last) this.at = 0;
    this.next();
    if (byReader) this.aloud("Playing");
    this.show();
  }

  next() {
    const wait = (1000 * this.data.seconds) / Number(this.find("select").value);
    this.timer = setTimeout(() => {
      this.at += 1;
      if (this.at >= this.last) return this.pause();
      this.next();
      return this.show();
    }, wait);
  }

  pause(said = true) {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.show();
    if (said) this.tell();
  }

  toggle() {
    if (this.timer) this.pause();
    else this.play();
  }

  go(to) {
    this.started = true;
    this.pause(false);
    this.still = false;
    this.at = clamp(to, 0, this.last);
    this.show();
    this.tell();
  }

  // From the still a step leads to the frame that was left.
  step(by) {
    this.go(this.still ? this.at : this.at + by);
  }

  key(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.tagName === "SELECT") return;
    if (key === " ") {
      if (target.tagName === "BUTTON") return; // it presses the button
      this.toggle();
    } else if (key in STEPS) this.step(STEPS[key]);
    else if (key === "Home") this.go(0);
    else if (key === "End") this.go(this.last);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  listen() {
    this.root.onkeydown = (event) => this.key(event);
    this.find(".stage").onclick = () => {
      this.root.focus({ preventScroll: true });
      this.toggle();
    };
    this.find(".play").onclick = () => this.toggle();
    this.find(".back").onclick = () => this.step(-1);
    this.find(".forward").onclick = () => this.step(1);
    this.find(".scrub").oninput = ({ target }) => this.go(Number(target.value));
    this.find("select").onchange = () => {
      if (!this.timer) return;
      clearTimeout(this.timer);
      this.next();
    };
    this.find(".still").onclick = () => {
      this.started = true;
      this.pause(false);
      this.still = !this.still;
      this.show();
      this.tell();
    };
  }

  watch() {
    this.watcher ??= new IntersectionObserver((seen) => {
      const { intersectionRatio: shown, isIntersecting } = seen.at(-1);
      if (shown >= 0.6 && !this.started && !QUIET.matches) this.play(false);
      if (!isIntersecting && this.timer) this.pause(false);
    }, { threshold: [0, 0.6] });
    this.watcher.observe(this.find(".stage"));
    if (this.goesOn) this.play(false);
    this.hush = () => document.hidden && this.pause(false);
    this.calm = () => QUIET.matches && this.pause(false);
    document.addEventListener("visibilitychange", this.hush);
    QUIET.addEventListener("change", this.calm);
  }

  // The page is drawn anew, or left: what plays goes on where it is drawn again.
  rest() {
    this.goesOn = Boolean(this.timer);
    this.watcher.disconnect();
    document.removeEventListener("visibilitychange", this.hush);
    QUIET.removeEventListener("change", this.calm);
    clearTimeout(this.speech);
    this.pause(false);
  }
}

export default function ({ data, parentElement }) {
  const player = (parentElement.vitrinePlayer ??= new Player(parentElement));
  player.take(data);
  player.watch();
  return () => player.rest();
}
