"""`eyewall check`: what can be seen to be wrong in an asyncio program without running it."""
