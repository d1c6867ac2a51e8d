mod anchor;
mod outages;
mod self_check;
mod sequencer;
mod tampering;
