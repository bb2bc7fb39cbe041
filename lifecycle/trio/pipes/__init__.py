"""Byte pipes whose `write` does not wait: sockets, TLS, memory; and where they come from.

Law: no pipe knows what its bytes mean.
"""
