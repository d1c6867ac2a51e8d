mod copy;
mod statements;
