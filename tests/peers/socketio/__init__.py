"""The pages of Socket.IO, against the servers of python-socketio and npm, and npm's client against ours."""
