"""Ends a run as a kill would, at a step that a test chooses: nothing is kept or tidied up then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from indivd_async.export import folder


class KilledError(BaseException):
    """What ends a run as a kill would: nothing that it holds is kept."""


def killed_within(*steps: tuple[Any, str]) -> Callable[[int], Any]:
    """Kill in the middle of a commit, where it has taken so many of *steps*."""

    @contextmanager
    def kill_after(count: int) -> Iterator[None]:
        left = count

        def dying(work: Callable[..., Any]) -> Callable[..., Any]:
            def die(*args: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise KilledError
                return work(*args, **options)

            return die

        clear, close = folder.Folder._clear, folder.Folder.close

        def end(dead: folder.Folder) -> None:
            lock = dead._lock
            try:
                close(dead)
            finally:
                if lock is not None:
                    lock.close()  # as the system does for whoever died

        with pytest.MonkeyPatch.context() as patch:
            for holder, name in steps:
                patch.setattr(holder, name, dying(getattr(holder, name)))
            patch.setattr(folder.Folder, "_clear", lambda dead: left < 0 or clear(dead))
            patch.setattr(folder.Folder, "close", end)
            yield None

    return kill_after
