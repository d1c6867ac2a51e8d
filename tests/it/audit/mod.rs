mod anchor;
mod outages;
mod sequencer;
mod tampering;
