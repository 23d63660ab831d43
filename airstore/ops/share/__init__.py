"""A publisher's store that several machines share: a git server for the history, a registry for packs."""
