"""What the master does for replicas: asks hosts and believes what they signed, clones, proves, repairs."""
