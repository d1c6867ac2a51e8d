mod copy;
mod server;
mod statements;
