mod pass;
mod types;
