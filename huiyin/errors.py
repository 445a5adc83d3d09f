"""The base of all errors that are meant for people."""


class HuiyinError(Exception):
    """Something a person can mend. The message is one clear line (or a short list): what, where, and the remedy.

    The command line prints the message without a traceback; everything else is a defect and keeps its traceback.
    """
