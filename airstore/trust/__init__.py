"""Keys, signatures, envelopes, the trust root, and the policy that decides."""
