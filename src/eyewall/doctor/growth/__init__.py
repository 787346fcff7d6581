"""What grows: things that stay after they ended, tasks that pile up, descriptors, queues, buffers, memory."""
