mod copy;
mod nodes;
mod server;
mod statements;
