"""What runs in pods: rollouts, jobs, gates, troubles."""
