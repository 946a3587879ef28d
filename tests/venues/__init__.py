"""Every venue against the contract, without I/O."""
