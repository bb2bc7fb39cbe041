"""What embedders test with.

demo            `lifecycle demo`: a connection, a real server in its own process, and faults
demo_server     that server
demo_faults     what is done to it
demo_account    what became of each message
demo_screen     how it is shown
"""
