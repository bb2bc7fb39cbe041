"""LiveKit Agents: its FallbackAdapter against our failover, and its sessions against the page that watches them."""
