"""Looks at everything that a first call needs: changes nothing, calls nobody, and says what to do."""
