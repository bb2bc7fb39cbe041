"""Leases in Redis or Valkey, and the connection to it.

Law: needs the extra `redis` when it is used; importing does not. Everything public is named here.
"""

from .leases import RedisLeases

__all__ = ["RedisLeases"]
