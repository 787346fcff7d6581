"""The rules of `eyewall check`, one kind of fault each."""
