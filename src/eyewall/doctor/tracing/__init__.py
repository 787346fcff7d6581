"""One request through several processes: W3C trace context, request ids, OpenTelemetry spans."""
