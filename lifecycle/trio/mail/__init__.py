"""What users send, ask and receive while connections come and go.

Law: a cancelled user tears nothing, and every message has a fate that is told.
"""
