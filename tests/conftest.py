"""For all tests: signals as a person's shell leaves them.

A shell starts what runs in its background with SIGINT ignored, and `nohup` with SIGHUP: every program that the
tests start would inherit that, and Ctrl-C would be nothing.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
