"""What is shared besides releases, each on a branch of the git server: keys of sites, pending releases."""
