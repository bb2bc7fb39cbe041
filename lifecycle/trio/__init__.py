"""The only room that knows trio: bytes, clocks, tasks and the user.

pipe, memory, tls       bytes that are written without waiting
dial, dialer            from an address to an open transport
transport, trio_websocket     what WebSocket libraries look like from here
timers                  one heap for all clocks of a connection
mail                    what users send, ask and receive
driver                  the only loop: the world to events, effects to the world
connection              what users hold
console                 a connection at a terminal
"""
