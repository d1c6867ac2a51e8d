//! Turns credentials into access tokens: what a provider is, and how to refresh there without two nodes racing.
