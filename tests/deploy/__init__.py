"""What operators copy from deploy/, used for real. `pytest -m deploy`: the programs are Debian's."""
