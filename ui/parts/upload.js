// Sends files to the server in parts, and goes on after a cut where the server stopped. Several go
// one after the other, the smallest first. An upload outlives the dialog that it was
// started in: what is drawn here may go and come back.
const PART = 16 * 2 ** 20;
const PATIENCE = 8; // tries without a byte of progress
const MOST = 4; // a model, its source, its architecture, its class names
const MOST_WEIGHTS = 500; // an ONNX file, and those that its tensors lie in
const SILENCE = 30_000; // milliseconds without progress that count as a cut
const RETELL = 2000; // milliseconds without a sign that the page heard of the files
const SILENT = "The server refused the file, and said no more.";
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
      phase: "idle", files: [], ids: [], got: [], at: 0, told: false, ahead: 0, tries: 0, began: undefined,
      said: "", error,
    });
  }

  // The file that is being sent now, and how much of it the server has.
  get file() {
    return this.files[this.at] ?? null;
  }

  get id() {
    return this.ids[this.at] ?? null;
  }

  get received() {
    return this.got[this.at] ?? 0;
  }

  set received(bytes) {
    this.got[this.at] = bytes;
  }

  get total() {
    return this.files.reduce((sum, file) => sum + file.size, 0);
  }

  get sent() {
    return Math.min(this.got.reduce((sum, bytes) => sum + bytes, 0) + this.ahead, this.total);
  }

  get name() {
    if (!this.file) return "";
    return this.files.length > 1 ? `${this.file.name} (${this.at + 1} of ${this.files.length})` : this.file.name;
  }

  stop() {
    this.turn = (this.turn ?? 0) + 1; // whatever is under way notices that it is not meant
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    this.request?.abort();
    this.request = null;
  }

  get share() {
    return this.total ? Math.floor((100 * this.sent) / this.total) : 0;
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
    if (!files.length) return;
    // An ONNX file may keep each of its tensors in a file.
    const onnx = files.some((file) => /\.onnx$/i.test(file.name));
    if (files.length > (onnx ? MOST_WEIGHTS : MOST)) {
      return this.become("idle", "",
        "A model comes with up to three more files: its class's source, its network's JSON, its class names.");
    }
    const large = files.find((file) => file.size > this.limit);
    if (large) {
      return this.become("idle", "", `A file may have up to ${size(this.limit)}, and ${large.name} has ${size(large.size)}.`);
    }
    this.clear();
    this.files = files.sort((one, other) => one.size - other.size);
    this.announce();
  }

  async announce() {
    const turn = this.turn;
    this.become("sending", "Starting ...");
    while (this.ids.length < this.files.length) {
      const { name, size, lastModified } = this.files[this.ids.length];
      let status, told;
      try {
        [status, told] = await this.ask("POST", "", JSON.stringify({ name, size, mark: `${name}:${size}:${lastModified}` }));
      } catch {
        return turn === this.turn && this.lost();
      }
      if (turn !== this.turn) return;
      if (status !== 201) return status >= 500 && status !== 507 ? this.lost() : this.drop(told);
      this.ids.push(told.id);
      this.got.push(told.received);
    }
    this.told = false;
    this.tell();
    this.send();
  }

  send() {
    while (this.received >= this.file.size) {
      if (this.at === this.files.length - 1) return this.finish();
      this.at += 1;
    }
    const turn = this.turn;
    const end = Math.min(this.received + PART, this.file.size);
    const request = (this.request = new XMLHttpRequest());
    const hush = () => {
      clearTimeout(this.watch);
      this.watch = setTimeout(() => turn === this.turn && this.lost(), SILENCE);
    };
    this.began ??= { at: performance.now(), from: this.sent };
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
    const seconds = (performance.now() - this.began.at) / 1000;
    const rate = (this.sent - this.began.from) / seconds;
    // The first moments say little of the rest.
    const left = seconds > 1 && rate > 0 ? `, ${time((this.total - this.sent) / rate)} left` : "";
    return `${size(this.sent)} of ${size(this.total)}${left}`;
  }

  lost() {
    this.stop();
    Object.assign(this, { ahead: 0, began: undefined });
    if (++this.tries > PATIENCE) {
      return this.become("failed", "Stopped.",
        `The connection dropped at ${this.share}\u00a0% and did not come back. Try again: what arrived is kept for a while.`);
    }
    const wait = Math.min(2 ** (this.tries - 1), 15);
    this.become("waiting", `The connection dropped at ${this.share}\u00a0%. Trying again ...`);
    this.timer = setTimeout(() => this.resume(), 1000 * wait);
  }

  // Ask the server how far it is, and go on from there.
  async resume() {
    this.stop();
    const turn = this.turn;
    if (this.ids.length < this.files.length) return this.announce();
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
    if (status === 404) return this.drop(told);
    return status >= 500 ? this.lost() : this.refuse(told);
  }

  retry() {
    this.tries = 0;
    this.resume();
  }

  // What is on the server stays there, and the sending can go on.
  refuse(told) {
    this.stop();
    this.ahead = 0;
    return this.become("failed", "Stopped.", told.error ?? SILENT);
  }

  // Nothing can go on: begin with an empty place.
  drop(told) {
    this.cancel(told.error ?? SILENT);
  }

  cancel(error = "") {
    const ids = this.ids;
    this.clear(error);
    this.draw();
    for (const id of ids) this.ask("DELETE", `/${id}`).catch(() => {});
  }

  finish() {
    clearTimeout(this.watch);
    this.ahead = 0;
    this.become("done", `Arrived. Opening ${this.files.length > 1 ? "them" : "it"} ...`);
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
    find(".name").textContent = upload.name;
    find(".said").textContent = upload.said;
    find(".error").textContent = upload.error;
    find(".track div").style.width = `${upload.share}%`;
    find(".track").setAttribute("aria-valuenow", upload.share);
    find(".track").setAttribute("aria-label", `Sent of ${upload.name || "the file"}`);
    find(".again").textContent = upload.phase === "failed" ? "Try again" : "Try now";
  };
  upload.tell = () => {
    clearTimeout(upload.retelling);
    if (!upload.files.length || upload.ids.length < upload.files.length || upload.told) return;
    // What is told while the page is drawn anew may be lost: told again until it was heard.
    upload.told = data.heard.join() === upload.ids.join();
    if (upload.told) return;
    setTriggerValue("began", upload.ids);
    upload.retelling = setTimeout(() => upload.tell(), RETELL);
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
    clearTimeout(upload.retelling);
    upload.draw = upload.tell = () => {};
  };
}
