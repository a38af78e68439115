"""Learning algorithms: model-based DDPG, analytic policy gradient, WGAN-GP."""
