"""Our pages against what others wrote: real servers and clients, installed and run."""
