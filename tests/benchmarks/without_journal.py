"""`phone-agents` that keeps no journal of what its calls live through: what is left is not the journal's."""

import sys

from runner.cli.main import main
from runner.serve.fleet.hold import CallHold

# A call that is taken over without a journal has none either: this is what the hold of such a call does.
CallHold.append = lambda *_: None  # type: ignore[method-assign] # that is what it is without

if __name__ == "__main__":
    sys.exit(main())
