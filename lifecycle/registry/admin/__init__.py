"""The admin surface of a registry: HTTP for its operators and for services that start sessions through it.

Law: it needs the extra `admin`; everything public is named here.
"""

try:
    from .admin import Admin
    from .join import Join, asked
    from .serve import Place, serve_admin
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the admin surface needs the package {error.name}: pip install 'connection-lifecycle[admin]'",
        name=error.name,
    ) from error

__all__ = ["Admin", "Join", "Place", "asked", "serve_admin"]
