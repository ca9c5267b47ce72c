"""An answer is held against its question by what it says itself. Pure."""

from .witnesses import (
    WITNESSES as WITNESSES,
    Witness as Witness,
    witness_answer as witness_answer,
    witness_list as witness_list,
)
