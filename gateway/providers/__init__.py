"""Who takes the money: `base` is what the flows see, each other module is one provider."""
