mod dialer;
