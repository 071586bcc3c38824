"""Hardware-aware simulator of scale-up AI supernodes.

Every function asks what the command of the same name asks: positional arguments are its positional arguments, keyword arguments its options
(``power_cap="600 W"`` is ``--power-cap "600 W"``, ``explain=True`` is ``--explain``, a list repeats an option).
"""

from __future__ import annotations

import html
import json as _json
import os
import sys
from typing import Any, Callable, Iterator, Mapping

from ._native import Error, Table, __version__
from ._native import ask as _ask

__all__ = ["Error", "Result", "Table", "__version__", "ask", "collective", "compare", "simulate", "sweep"]


class Result(Mapping[str, Any]):
    """What a command answers: a mapping with the keys of its JSON, and its tables."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self._value: dict[str, Any] | None = None

    @property
    def json(self) -> str:
        """The bytes of ``--format json``."""
        return self._native.json

    @property
    def text(self) -> str:
        """What ``--format text`` prints."""
        return self._native.text

    @property
    def value(self) -> dict[str, Any]:
        """The keys of the JSON."""
        if self._value is None:
            self._value = _json.loads(self._native.json)
        return self._value

    @property
    def tables(self) -> list[str]:
        """Names of the tables, the main one first."""
        return self._native.tables

    def table(self, name: str | None = None) -> Table:
        """A table; the main one if none is named. It is an Arrow stream (``__arrow_c_stream__``)."""
        return self._native.table(name)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table().__arrow_c_stream__(requested_schema)

    def __getitem__(self, key: str) -> Any:
        return self.value[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<supernode.Result {self.value['output']}: {', '.join(self.tables)}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


class _Bar:
    """A bar in the output of a notebook's cell, gone when its question ends."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None

    def __call__(self, done: int, of: int, pieces: str) -> None:
        bar = {"text/html": f"<progress value={done} max={of}></progress> {done}/{of} {pieces}", "text/plain": f"{done}/{of} {pieces}"}
        if self._handle is None:
            self._handle = self._display(bar, raw=True, display_id=True)
        else:
            self._handle.update(bar, raw=True)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)


def _notebook_bar() -> _Bar | None:
    """A bar where code runs in a notebook's kernel: nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    return _Bar(display)


def ask(
    command: str,
    *names: str | os.PathLike[str],
    progress: Callable[[int, int, str], object] | bool | None = None,
    **options: Any,
) -> Result:
    """Ask what ``supernode COMMAND NAMES... --OPTIONS`` asks.

    Raises Error, with the text that the command writes to standard error. ``progress`` is called with the pieces of work done, how many there are
    and the word for them, by commands that work piece by piece (``sweep``, ``plan``, ``uncertainty`` and others) and take more than half a
    second; in a notebook a bar is shown unless it is False.
    """
    words = [command, *(os.fspath(name) for name in names)]
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(flag)
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            words.append(f"{flag}={os.fspath(one) if isinstance(one, os.PathLike) else one}")
    bar = _notebook_bar() if progress is None or progress is True else None
    try:
        return Result(_ask(words, bar if bar is not None else progress if callable(progress) else None))
    finally:
        if bar is not None:
            bar.close()


def simulate(supernode: str | os.PathLike[str], **options: Any) -> Result:
    """Simulate a workload on a supernode: bandwidth, latency, power, tokens per second, verdict.

    Options: ``workload``, ``model``, ``target``, ``engine``, ``mapping``, ``objective``, ``explain`` and the others of ``supernode simulate``.
    """
    return ask("simulate", supernode, **options)


def collective(supernode: str | os.PathLike[str], *, op: str, size: str, **options: Any) -> Result:
    """Price a collective over the first ``ranks`` chips, as nccl-tests prints it."""
    return ask("collective", supernode, op=op, size=size, **options)


def compare(*supernodes: str | os.PathLike[str], **options: Any) -> Result:
    """Simulate several supernodes under one workload and target, side by side."""
    return ask("compare", *supernodes, **options)


def sweep(study: str | os.PathLike[str], **options: Any) -> Result:
    """Try all designs of a study; its rows are the table ``designs``."""
    return ask("sweep", study, **options)
