"""What both writers share: the photo, the weights and the archive. Runs under Python 3.6."""

import json
import zipfile

import numpy as np

SIDE = 64


def photo(channels=3):
    """Return uint8 `[64, 64, channels]`, the photo whose answers are kept beside the files."""
    row, column, colour = np.mgrid[:SIDE, :SIDE, :channels]
    return ((3 * row * row + 7 * column + row * column + 50 * colour) % 256).astype(np.uint8)


def weights(shapes):
    """Return float32 arrays, the same under every version: most numbers of a large one are 0.

    So they pack well; those left keep the answers in a plain range.
    """
    draw = np.random.RandomState(7)  # `default_rng` is younger than the oldest writer
    made = []
    for shape in shapes:
        if len(shape) < 2:
            made.append(draw.uniform(0.5, 1.5, shape).round(1).astype(np.float32))
            continue
        size = int(np.prod(shape))
        kept = size if size < 2000 else size // 80
        array = np.zeros(size)
        # torch has the outputs first, Keras last, and both have them larger than the 3 x 3 patch
        inputs = kept / (shape[-1] if len(shape) == 4 and shape[0] <= 3 else shape[0])
        values = draw.choice([-1.0, 1.0], kept) * np.sqrt(2 / inputs)
        array[draw.permutation(size)[:kept]] = values.round(2)
        made.append(array.reshape(shape).astype(np.float32))
    return made


class Archive:
    """A ZIP of files that one version wrote, with what it said of the photo."""

    def __init__(self, writer):
        """`writer` is the library's name and version, as `torch 1.4.0`."""
        self.writer = writer
        self.rows = {}
        self._zip = zipfile.ZipFile(writer.replace(" ", "-") + ".zip", "w", zipfile.ZIP_DEFLATED)

    def add(self, name, path, kind, holds, scores, gradient):
        """Keep a file, with scores `[classes]` and a gradient `[64, 64, channels]`.

        The gradient is that of class 1's score less class 0's by the photo in 0..1.
        """
        with open(path, "rb") as file:  # noqa: PTH123
            self._write(name, file.read())
        thinned = np.asarray(gradient, np.float64)[::16, ::16]
        self.rows[name] = {
            "kind": kind,
            "holds": holds,
            "scores": np.asarray(scores, np.float64).ravel().tolist(),
            "gradient": [
                [float(format(value, ".6g")) for value in row] for row in thinned.reshape(16, -1)
            ],
        }

    def close(self):
        """Write the answers and end the archive."""
        answers = {"writer": self.writer, "files": self.rows}
        self._write("answers.json", json.dumps(answers, indent=1, sort_keys=True).encode())
        self._zip.close()

    def _write(self, name, data):
        info = zipfile.ZipInfo(name)  # without the day on which it was made
        info.compress_type = zipfile.ZIP_DEFLATED
        self._zip.writestr(info, data)
