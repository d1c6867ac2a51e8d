mod dialer;
mod turns;
