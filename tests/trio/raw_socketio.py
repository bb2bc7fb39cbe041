"""A server of Socket.IO that says nothing by itself: its test speaks for it, and past every rule."""

RAW = """
lifecycle: 1
page: raw
title: A server that says what its test says
role: server
hears: {disconnect: {}}
causes: [{otherwise: true, is: lost}]
messages: {codec: socketio}
states:
  up: {status: ready, rest: true, clauses: {RW1: {on: [lost, disconnect], to: over}}}
  over: {status: closed, final: done}
"""
OPEN = {"packet": "open", "sid": "e", "upgrades": [], "pingInterval": 1000, "pingTimeout": 1000, "maxPayload": 1000}
