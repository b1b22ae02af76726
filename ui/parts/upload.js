// Sends a file to the server in parts, and goes on after a cut where the server stopped.
// An upload outlives the popover that it was started in: what is drawn here may go and come back.
const PART = 16 * 2 ** 20;
const PATIENCE = 8; // tries without a byte of progress
const SILENCE = 30_000; // milliseconds without progress that count as a cut
const uploads = (globalThis.vitrineUploads ??= new Map());

const size = (bytes) =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB`
  : bytes >= 1e7 ? `${Math.round(bytes / 1e6)} MB` : `${Math.max(bytes / 1e6, 0.1).toFixed(1)} MB`;
const time = (seconds) =>
  seconds < 1 ? "under 1 s" : seconds < 90 ? `about ${Math.round(seconds)} s`
  : `about ${Math.round(seconds / 60)} min`;

class Upload {
  constructor() {
    this.clear();
    this.draw = this.tell = () => {};
    addEventListener("online", () => this.phase === "waiting" && this.resume());
  }

  clear(error = "") {
    this.stop();
    Object.assign(this, {
      phase: "idle", file: null, id: null, told: false, received: 0, ahead: 0, tries: 0, said: "", error,
    });
  }

  stop() {
    this.turn = (this.turn ?? 0) + 1; // whatever is under way notices that it is not meant
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.request?.abort();
    this.request = null;
  }

  get share() {
    return this.file ? Math.floor((100 * Math.min(this.received + this.ahead, this.file.size)) / this.file.size) : 0;
  }

  become(phase, said = "", error = "") {
    Object.assign(this, { phase, said, error });
    this.draw();
  }

  async ask(method, path = "", body = undefined) {
    const answer = await fetch(this.url + path, {
      method, body, credentials: "same-origin", cache: "no-store",
      headers: { "X-Vitrine-Token": this.token },
    });
    let told = {};
    try {
      told = await answer.json();
    } catch { /* no words */ }
    return [answer.status, told];
  }

  begin(files) {
    const [file] = files;
    if (!file) return;
    if (files.length > 1) return this.become("idle", "", "One file at a time, please.");
    if (file.size > this.limit) {
      return this.become("idle", "", `A file may have up to ${size(this.limit)}, and this one has ${size(file.size)}.`);
    }
    this.clear();
    this.file = file;
    this.announce();
  }

  async announce() {
    const turn = this.turn;
    this.become("sending", "Starting ...");
    const { name, size, lastModified } = this.file;
    let status, told;
    try {
      [status, told] = await this.ask("POST", "", JSON.stringify({ name, size, mark: `${name}:${size}:${lastModified}` }));
    } catch {
      return turn === this.turn && this.lost();
    }
    if (turn !== this.turn) return;
    if (status !== 201) return status >= 500 && status !== 507 ? this.lost() : this.refuse(told);
    Object.assign(this, { id: told.id, received: told.received, told: false });
    this.tell();
    this.send();
  }

  send() {
    if (this.received >= this.file.size) return this.finish();
    const turn = this.turn;
    const end = Math.min(this.received + PART, this.file.size);
    const request = (this.request = new XMLHttpRequest());
    const hush = () => {
      clearTimeout(this.watch);
      this.watch = setTimeout(() => turn === this.turn && this.lost(), SILENCE);
    };
    this.began ??= { at: performance.now(), from: this.received };
    request.open("PUT", `${this.url}/${this.id}`);
    request.setRequestHeader("X-Vitrine-Token", this.token);
    request.setRequestHeader("Content-Range", `bytes ${this.received}-${end - 1}/${this.file.size}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded }) => {
      if (turn !== this.turn) return;
      hush();
      this.ahead = loaded;
      this.become("sending", this.progress());
    };
    request.onerror = () => turn === this.turn && this.lost();
    request.onload = () => {
      if (turn !== this.turn) return;
      clearTimeout(this.watch);
      let told = {};
      try {
        told = JSON.parse(request.responseText);
      } catch { /* no words */ }
      if (Number.isInteger(told.received)) {
        if (told.received > this.received) this.tries = 0;
        else if (++this.tries > PATIENCE) return this.refuse(told);
        Object.assign(this, { received: told.received, ahead: 0 });
        return this.send();
      }
      return request.status >= 500 && request.status !== 507 ? this.lost() : this.refuse(told);
    };
    hush();
    this.become("sending", this.progress());
    request.send(this.file.slice(this.received, end));
  }

  progress() {
    const sent = this.received + this.ahead;
    const seconds = (performance.now() - this.began.at) / 1000;
    const rate = (sent - this.began.from) / seconds;
    // The first moments say little of the rest.
    const left = seconds > 1 && rate > 0 ? `, ${time((this.file.size - sent) / rate)} left` : "";
    return `${size(Math.min(sent, this.file.size))} of ${size(this.file.size)}${left}`;
  }

  lost() {
    this.stop();
    Object.assign(this, { ahead: 0, began: undefined });
    if (++this.tries > PATIENCE) {
      return this.become("failed", "Stopped.",
        `The connection dropped at ${this.share}% and did not come back. Try again: what arrived is kept for a while.`);
    }
    const wait = Math.min(2 ** (this.tries - 1), 15);
    this.become("waiting", `The connection dropped at ${this.share}%. Trying again ...`);
    this.timer = setTimeout(() => this.resume(), 1000 * wait);
  }

  // Ask the server how far it is, and go on from there.
  async resume() {
    this.stop();
    const turn = this.turn;
    if (!this.id) return this.announce();
    let status, told;
    try {
      [status, told] = await this.ask("GET", `/${this.id}`);
    } catch {
      return turn === this.turn && this.lost();
    }
    if (turn !== this.turn) return;
    if (status === 200) {
      Object.assign(this, { received: told.received, ahead: 0 });
      return this.send();
    }
    if (status === 404) this.id = null;
    return status >= 500 ? this.lost() : this.refuse(told);
  }

  retry() {
    this.tries = 0;
    this.resume();
  }

  refuse(told) {
    this.stop();
    this.ahead = 0;
    const error = told.error ?? "The server refused the file, and said no more.";
    // Nothing of it is on the server: begin with an empty place. Otherwise it can go on.
    if (!this.id) {
      this.clear(error);
      return this.draw();
    }
    return this.become("failed", "Stopped.", error);
  }

  cancel() {
    const id = this.id;
    this.clear();
    this.draw();
    if (id) this.ask("DELETE", `/${id}`).catch(() => {});
  }

  finish() {
    clearTimeout(this.watch);
    Object.assign(this, { received: this.file.size, ahead: 0 });
    this.become("done", "Arrived. Opening it ...");
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  if (!uploads.has(data.key)) uploads.set(data.key, new Upload());
  for (const [key, other] of uploads) {
    if (key !== data.key && other.phase === "done") uploads.delete(key);
  }
  const upload = uploads.get(data.key);
  Object.assign(upload, { url: data.url, token: data.token, limit: data.limit });

  const root = find(".upload");
  upload.draw = () => {
    if (root.dataset.phase !== upload.phase || upload.error) {
      find(".aloud").textContent = upload.phase === "sending" ? "Sending the file" : upload.said;
    }
    root.dataset.phase = upload.phase;
    find(".name").textContent = upload.file?.name ?? "";
    find(".said").textContent = upload.said;
    find(".error").textContent = upload.error;
    find(".track div").style.width = `${upload.share}%`;
    find(".track").setAttribute("aria-valuenow", upload.share);
    find(".track").setAttribute("aria-label", `Sent of ${upload.file?.name ?? "the file"}`);
    find(".again").textContent = upload.phase === "failed" ? "Try again" : "Try now";
  };
  upload.tell = () => {
    if (!upload.id || upload.told) return;
    upload.told = true;
    setTriggerValue("began", upload.id);
  };

  find(".hint").textContent = `or drop it here, up to ${size(data.limit)}`;
  const input = find("input");
  const drop = find(".drop");
  find(".choose").onclick = () => input.click();
  input.onchange = () => {
    upload.begin([...input.files]);
    input.value = "";
  };
  find(".cancel").onclick = () => upload.cancel();
  find(".again").onclick = () => upload.retry();
  drop.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    upload.begin([...event.dataTransfer.files]);
  };
  upload.tell();
  upload.draw();
  return () => {
    upload.draw = upload.tell = () => {};
  };
}
