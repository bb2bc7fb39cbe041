"""What a lifecycle means: a chart that decides, a table that remembers, a machine that is pure.

plan      a definition as numbered states, guards, actions and transitions
chart     the plan as a python-statemachine StateChart; the only user of statemachine
source    expressions and effects as Python source
path      one way through one step, and the tree of ways of a cell
table     paths recorded from the chart, one function a cell
files     paths that were recorded before
events, effects   what goes into a machine, what comes out
machine   one connection's state
"""
