"""Bytes to events and back, pure: no task, no clock, no socket.

dial_request   where to dial, checked         ending      why there is no connection
codec          values to messages and back    socketio    packets, for the codec of that name
pick           values found in a message by path              avatar      frames, for the codec of that name
routes         what becomes of a message      causes      from an ending to a named event
ticket         the fate of one message        outbox      what waits for the peer
inbox          what waits for the user        requests    what waits for an answer
"""
