"""A wall without processes: the same tasks on threads, with a small linear model in numpy."""

import dataclasses
import secrets
import shutil
import threading
import time
from pathlib import Path

import numpy as np

from loaders.companions import safe_name
from loaders.preprocessing import preset
from loaders.resolve import resolve
from workers import cards
from workers.fetch import Cache
from workers.jobs import Job
from workers.process import Stopped
from workers.queue import Queue
from workers.tasks.decode import Decode
from workers.tasks.explain import Explain
from workers.tasks.measure import Measure
from workers.tasks.predict import Predict
from xai_core.errors import (
    JobError,
    LoadError,
    NeedsAnswer,
    NeedsArchitecture,
    NeedsFiles,
    NeedsSource,
)
from xai_core.model import Head, Layer
from xai_core.perturb import stream
from xai_core.task import Bench

SIDE, CELLS = 64, 8


class LinearModel:
    """Scores classes by the colours of 8x8 cells; its one layer's map is those cells."""

    framework, kind, architecture = "torch", "PyTorch state dict", "linear"
    head = Head("softmax")
    channels = 3
    input_size = (SIDE, SIDE)

    def __init__(self, options, name):
        self.name = name
        self.labels = options.classes or tuple(f"class {index}" for index in range(6))
        weights = np.random.default_rng(3).normal(size=(CELLS, CELLS, 3, len(self.labels)))
        self.weights = (weights / 5).astype(np.float32)
        self.parameters = self.weights.size
        self.preprocessing, self.findings = resolve(
            options, preset("symmetric", self.input_size), size=self.input_size, channels=3
        )

    def _cells(self, images):
        shape = (len(images), CELLS, SIDE // CELLS, CELLS, SIDE // CELLS, 3)
        return images.reshape(shape).mean((2, 4))

    def logits(self, images):
        return np.tensordot(self._cells(images), self.weights, 3).astype(np.float32)

    def masked_scores(self, image, masks, baseline, targets, batch=0):
        for part, logits in stream(self.logits, image, masks, baseline, batch or 4):
            yield part, np.stack([t.score(logits, self.head) for t in targets], -1)

    def layers(self):
        return (Layer("features.0", "Cells", (CELLS, CELLS), 3),)

    def activations(self, images, layer):
        return self._cells(images)

    def code_gradients(self, images, layer, code):
        apart, side = self._cells(images) - code, SIDE // CELLS
        slopes = (2 * apart / side**2).repeat(side, 1).repeat(side, 2)
        return (apart**2).sum((1, 2, 3)), slopes.astype(np.float32)

    def gradients(self, images, target, batch=0):
        if target.reads == "layer":
            side = SIDE // CELLS
            whole = target.weights((CELLS, CELLS, 3)).repeat(side, 0).repeat(side, 1) / side**2
            return np.broadcast_to(whole, (len(images), *whole.shape)).astype(np.float32)
        slopes = self.weights[..., target.index].astype(np.float32)
        if target.against is not None:
            slopes = slopes - self.weights[..., target.against]
        side = SIDE // CELLS
        whole = slopes.repeat(side, 0).repeat(side, 1) / side**2
        return np.broadcast_to(whole, (len(images), *whole.shape)).astype(np.float32)

    def activation_gradients(self, images, layer, target):
        gradients = self.weights[..., target.index]
        if target.against is not None:
            gradients = gradients - self.weights[..., target.against]
        return self._cells(images), np.broadcast_to(gradients, (len(images), *gradients.shape))


class Progress:
    def __init__(self, job, wall=None):
        self.job, self.wall, self.stopping = job, wall, False

    def __call__(self, done, total, partial=None, arrays=None):
        self._stop()
        self.job.progress(done, total, partial, arrays)
        while self.wall and self.wall.held and partial is not None:
            self._stop()
            time.sleep(0.01)

    def _stop(self):
        if self.job.should_stop():
            raise Stopped(killed=False)
        self.stopping = self.stopping or "stop" in self.job.orders()


class Handle:
    def __init__(self, wall, path, options, name):
        self.wall, self.card, self.state, self.measured = wall, None, "loading", 0
        self.framework = "torch"
        self.model = None
        self.loading = wall.submit(lambda job: self._load(path, options, name))

    def _load(self, path, options, name):
        if b"not a model" in Path(path).read_bytes()[:100]:
            self.state = "failed"
            raise LoadError("This is not a model file. Upload a PyTorch or Keras model.")
        lacks = Path(path).read_bytes()[:100]
        if b"no class" in lacks and "class Net" not in options.source:
            self.state = "failed"
            raise NeedsSource("The file holds weights <b>without</b> their network.")
        if b"no network" in lacks and not options.architecture:
            self.state = "failed"
            raise NeedsArchitecture("This file holds weights without their network.")
        if b"no size" in lacks and not options.size:
            self.state = "failed"
            raise NeedsAnswer("Nothing says the size of its photos. Say it with --size.")
        if b"no weights" in lacks and not (Path(path).parent / "net.onnx.data").is_file():
            self.state = "failed"
            raise NeedsFiles("Its weights lie in 'net.onnx.data', which did not come with it.")
        self.model = LinearModel(options, name)
        held = {"files": True, "network": True, "processes": True}
        self.card = dataclasses.replace(cards.describe(self.model), hash="0" * 64, sandbox=held)
        self.state = "ready"
        return self.card

    def predict(self, pixels):
        return self.run(Predict(pixels=pixels))

    def explain(self, pixels, question):
        return self.run(Explain(pixels=pixels, question=question))

    def measure(self):
        """Measure, until the wall's `measuring` is set; what the wall's `pace` says, if it does."""

        def work(job):
            progress = Progress(job)
            while not self.wall.measuring.wait(0.005) and not progress.stopping:
                progress(0, 1)
            made = Measure().run(Bench(model=self.model), progress)
            if not progress.stopping:
                self.card = dataclasses.replace(self.card, pace=self.wall.pace or made.pace)
                self.measured += 1
            return made

        return self.wall.submit(work, lane=self, commands=Measure.commands)

    def run(self, task):
        def work(job):
            bench = Bench(model=self.model, hash="0" * 64)
            task.ready(bench)
            return task.run(bench, Progress(job, self.wall))

        return self.wall.submit(work, lane=self, commands=task.commands)

    def close(self):
        self.state = "closed"


class Held:
    """A worker that is held, for tasks that leave something in it."""

    def __init__(self, wall, folder):
        self.wall, self.state = wall, "ready"
        self.bench = Bench(folder=folder)

    def run(self, task):
        def work(job):
            made = task.run(self.bench, Progress(job, self.wall))
            files = {name: self.bench.folder / path for name, path in made.files.items()}
            return dataclasses.replace(made, files=files) if files else made

        return self.wall.submit(work, lane=self, commands=task.commands)

    def close(self):
        self.state = "closed"


class Session:
    def __init__(self, wall, folder):
        self.wall, self.folder, self.closed, self.models = wall, folder, False, []

    def add_file(self, name, data):
        path = self.new_file("upload")
        path.write_bytes(data if isinstance(data, bytes) else Path(data).read_bytes())
        return path

    def new_file(self, name):
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir()
        return folder / name

    def add_beside(self, path, name, data):
        folder = Path(data).parent
        place = path.parent / safe_name(name)
        Path(data).replace(place)
        shutil.rmtree(folder)
        return place

    def remove_file(self, path):
        assert path.resolve().is_relative_to(self.folder.resolve())
        shutil.rmtree(path.parent)

    def fetch(self, entry):
        return self.wall.cache.fetch(entry)

    def holds(self, entry):
        return self.wall.cache.holds(entry)

    def bring(self, remote):
        return self.wall.cache.fetch(remote)

    def has(self, remote):
        return self.wall.cache.holds(remote)

    def run(self, task, *, read=()):
        return self.wall.submit(lambda job: task.run(Bench(), Progress(job)))

    def hold(self, kind, opening=None, *, read=()):
        self.models.append(Held(self.wall, self.new_file("held").parent))
        return self.models[-1]

    def decode(self, data):
        task = Decode(data=np.frombuffer(data, np.uint8))
        return self.wall.submit(lambda job: task.run(Bench(), Progress(job, self.wall)))

    def open(self, path, options, *, name, trusted_path=False, wanted="classification"):
        if self.closed:
            raise JobError("The session is closed.")
        self.models.append(Handle(self.wall, path, options, name))
        return self.models[-1]

    def close(self):
        self.closed = True
        for model in self.models:
            model.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Wall:
    """The wall's face. While it is `held`, a run goes no further than its first map."""

    folder = Path()
    held = False
    cache = Cache(Path("no-such-folder"))

    pace = None

    def __init__(self, device="cpu"):
        self.device = device
        self.queue, self.sessions, self.lock = Queue(2), {}, threading.Lock()
        self.measuring = threading.Event()
        self.measuring.set()

    def warm(self, kind):
        pass

    def submit(self, work, **more):
        def begun(job):
            job.begin()
            return work(job)

        return self.queue.submit(Job(begun, **more))

    def session(self, key):
        with self.lock:
            if key not in self.sessions or self.sessions[key].closed:
                folder = self.folder / f"session-{secrets.token_hex(4)}"
                folder.mkdir()
                self.sessions[key] = Session(self, folder)
            return self.sessions[key]

    def close(self):
        self.queue.close()
