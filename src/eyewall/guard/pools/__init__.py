"""Resources that are opened, lent and closed: engine, leases, the pool."""
