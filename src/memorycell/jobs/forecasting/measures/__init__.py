"""How forecasts are judged: metrics, baselines, rolling origins."""
