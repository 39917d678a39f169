"""Any nn.Module: load, trace, intervene."""
