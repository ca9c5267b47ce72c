"""A client from another: of its class, with all that it has."""

from __future__ import annotations

from types import MemberDescriptorType


def copy_attributes(original: object, twin: object) -> None:
    """
    Give *twin*, of the same class and yet without any, the attributes of *original*, those in slots too.

    `copy.copy` would pickle it, which clients refuse.
    """
    vars(twin).update(vars(original))
    for base in type(original).__mro__:
        for slot in vars(base).values():
            if isinstance(slot, MemberDescriptorType) and hasattr(original, slot.__name__):
                slot.__set__(twin, slot.__get__(original))
