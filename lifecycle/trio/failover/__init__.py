"""One of several that can do the same: who is asked, who is asked next, and who is well.

Law: what a provider is asked for is never asked twice at once, but for one probe whose result nobody is given.
"""
