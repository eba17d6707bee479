"""What a person, or a program, sees of a run while it goes on."""

from prover_core.display.base import Display
from prover_core.display.factory import DISPLAY_KINDS, DisplayKind, make_display

__all__ = ["DISPLAY_KINDS", "Display", "DisplayKind", "make_display"]
