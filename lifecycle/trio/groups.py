"""Exception groups, for those who were promised an exception."""


def alone(error: BaseException) -> BaseException:
    """Take an error out of the groups in which it is the only one.

    Args:
        error: an exception, or a group; a group of several is left as it is.
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
