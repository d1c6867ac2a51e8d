mod hostile;
mod pass;
mod types;
