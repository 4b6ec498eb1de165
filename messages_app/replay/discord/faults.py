"""How a call can be made to fail, and when.

answers   401  403  404  429-user  429-global  429-shared  ban (429, HTML)  500  502-html
          login (200, HTML)  redirect  odd (JSON of another form)
cut       half (of a JSON text that ends well)  cut (less than announced)  reset  close  huge
slow      slow:SECONDS before the answer  drip:SECONDS in its middle  hang
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_NAMES = frozenset(
    """401 403 404 429-user 429-global 429-shared ban 500 502-html login redirect odd half cut
    reset close huge hang slow drip""".split()  # noqa: SIM905 - reads as the list above
)


@dataclass
class Fault:
    """One way to fail; `path` is a pattern that is searched for in the path with its query.

    `times` is for how many calls, `start_ms` and `end_ms` bound it by the world's clock.
    """

    name: str
    path: str = ""
    times: int = 1 << 30
    start_ms: int = 0
    end_ms: int = 1 << 62
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.name, _, seconds = self.name.partition(":")
        self.seconds = float(seconds or self.seconds)
        if self.name not in _NAMES:
            raise ValueError(f"there is no fault {self.name!r}")


@dataclass
class Faults:
    """The faults of a world; asked by many threads."""

    faults: list[Fault] = field(default_factory=list)
    # Told of each call before it is answered: the moment at which a test changes the world.
    on_call: Callable[[str], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, path: str = "", **more: float) -> None:
        self.faults.append(Fault(name, path, **more))  # type: ignore[arg-type]

    def clear(self) -> None:
        self.faults.clear()

    def take(self, path: str, now_ms: int) -> Fault | None:
        """The first fault that this call meets, counted down."""
        with self._lock:
            if self.on_call:
                self.on_call(path)
            for fault in self.faults:
                if (
                    fault.times > 0
                    and fault.start_ms <= now_ms < fault.end_ms
                    and re.search(fault.path, path)
                ):
                    fault.times -= 1
                    return fault
        return None
