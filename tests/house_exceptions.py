"""What the rules of the house do not hold for yet. These lists may only shrink."""

UPWARD: dict[str, set[str]] = {}
ROOMS_KNOWN: dict[str, set[str]] = {}
PRIVATE: dict[str, set[str]] = {}
LONG_FUNCTIONS: dict[str, set[str]] = {}
LONG_FILES: set[str] = set()
CIRCLES: list[list[str]] = []
