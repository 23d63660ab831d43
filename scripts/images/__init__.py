"""Images that are made here: the fixtures' and the applier's."""
