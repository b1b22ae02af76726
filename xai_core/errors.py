"""Errors that a person may read: each names the owner, the rule, the value and the way out."""


class VitrineError(Exception):
    """The one base that a page or the command line catches; its text is one or two sentences.

    `detail` may hold a worker's traceback: plain text, for whoever asks to see it.
    """

    detail: str = ""


class ParamError(VitrineError):
    """A parameter is out of its range, of the wrong kind, or not honoured by the engine."""


class LoadError(VitrineError):
    """A model file cannot be read: damaged, not a model, or refused as unsafe."""


class NeedsSource(LoadError):
    """The network is code that is not in the file: the source of its class would open it.

    `example` is what is known of its input, (channels, height, width), 0 where it is not.
    """

    example: tuple[int, ...] = ()


class NeedsArchitecture(LoadError):
    """The file holds weights alone: the JSON of their network would open it."""


class NeedsAnswer(LoadError):
    """The file leaves open what a person can say: its size, its channels, which output to read."""


class NeedsFiles(LoadError):
    """The file's weights lie in other files, which did not come with it."""


class UnsupportedModel(VitrineError):
    """The model was read, but a method or this product cannot serve it."""


class ImageError(VitrineError):
    """A photo cannot be decoded, or is too large or too small."""


class JobError(VitrineError):
    """A run ended without a result: cancelled, out of time, out of memory, or its worker died."""


BY_NAME: dict[str, type[VitrineError]] = {
    error.__name__: error
    for error in (
        ParamError,
        LoadError,
        NeedsSource,
        NeedsAnswer,
        NeedsArchitecture,
        NeedsFiles,
        UnsupportedModel,
        ImageError,
        JobError,
        VitrineError,
    )
}
"""Errors by class name, to rebuild across the wall what a worker said."""
