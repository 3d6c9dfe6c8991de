import pytest

from pynq_bnn import cli


@pytest.fixture
def run(capsys):
    """A function that runs a command: exit code, standard output, standard error."""

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return run
