"""Why a window or an event was called, how far that can be believed, and what it costs. No torch."""
