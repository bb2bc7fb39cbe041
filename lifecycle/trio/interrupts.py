"""Ctrl-C never breaks into a connection's own work.

Law: trio raises KeyboardInterrupt between any two instructions of the main thread. In here that would tear a step, or a
nursery, in two, and nobody can mend that. So what is ours is protected, as trio calls it: the interrupt is raised in
the main task, as soon as that waits. What the embedder wrote, a call or a handler, may loop for ever and is not.
"""

from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any, TypeVar, final

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

C = TypeVar("C")
T = TypeVar("T")


def ki_protected(our: type[C]) -> type[C]:
    """Mark all methods of a class of ours."""
    for function in vars(our).values():
        if isinstance(function, FunctionType):
            enable_ki_protection(function)
    return our


@disable_ki_protection
async def unprotected(running: Awaitable[T]) -> T:
    """Wait for what the embedder wrote."""
    return await running


@final
class Protected:
    """A nursery for tasks that are ours, whoever starts them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def start_soon(self, run: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task."""
        self._nursery.start_soon(_protected, run, *args)


@enable_ki_protection
async def _protected(run: Callable[..., Awaitable[object]], *args: Any) -> None:
    await run(*args)
