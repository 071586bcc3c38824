"""Hardware-aware simulator of scale-up AI supernodes.

Every function asks what the command of the same name asks: positional arguments are its positional arguments, keyword arguments its options
(``power_cap="600 W"`` is ``--power-cap "600 W"``, ``explain=True`` is ``--explain``, a list repeats an option).
"""

from __future__ import annotations

import html
import json as _json
import os
from typing import Any, Iterator, Mapping

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


def ask(command: str, *names: str | os.PathLike[str], **options: Any) -> Result:
    """Ask what ``supernode COMMAND NAMES... --OPTIONS`` asks.

    Raises Error, with the text that the command writes to standard error.
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
    return Result(_ask(words))


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
