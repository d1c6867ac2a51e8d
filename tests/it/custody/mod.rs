mod revocation;
mod wider_cuts;
