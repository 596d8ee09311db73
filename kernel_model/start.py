"""Entry point of the command ``cfemu``. Imports nothing before it must, for Ctrl-C is heard from the first moment."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line. Until all is imported that reports an interrupt, Ctrl-C ends the process as it does any."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it was started with nohup, or so
    if is_heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from kernel_model.cli import main as run

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
