"""History that comes and goes: bundles, remotes, copies of other stores."""
