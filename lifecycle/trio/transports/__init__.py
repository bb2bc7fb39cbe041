"""WebSocket libraries on a pipe, one connection each.

Law: all behave alike, and none knows states, queues or reconnecting.
"""
