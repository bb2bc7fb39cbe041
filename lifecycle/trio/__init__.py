"""What runs a page: bytes, clocks, tasks and the user.

pipes        bytes that are written without waiting; from an address to a socket, and from a socket to clients
transports   what WebSocket libraries look like from here
mail         what users send, ask and receive
driver       the only loop: the world to events, effects to the world
connection, server      what users hold
portal       the way here from asyncio
console      a connection at a terminal
"""
