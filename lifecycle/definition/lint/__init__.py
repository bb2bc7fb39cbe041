"""Static checks."""
def lint(definition): return []
