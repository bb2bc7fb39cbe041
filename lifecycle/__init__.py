"""A page of YAML becomes a connection lifecycle: drawn, proven, and then run.

    definition/   what a lifecycle is: frozen data, read from YAML
    machine/      what it means: a chart, a table, a pure machine
    proof/        what it promises          draw/      how it looks
    wire/         bytes to events, pure     trio/      the only room that knows trio
    systems/      calls of real systems     testing/   what embedders test with
    cli           the command line          errors     every exception, as one tree
"""
