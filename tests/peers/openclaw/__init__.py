"""The page `openclaw-gateway` and its calls, against the real gateway of npm."""
