"""OpenSSH's keys and signatures, in files and in an agent."""
